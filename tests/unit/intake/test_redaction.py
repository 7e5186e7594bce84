from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import Leniency, PhoneNumberMatcher

from daemon.config.settings import HygieneSection
from daemon.domain.conversation import JSON
from daemon.domain.personal_data import PLACEHOLDERS, PersonalData
from daemon.intake.privacy.recognisers import SECRETS, phones
from daemon.intake.privacy.redaction import Redactor

REDACTOR = Redactor(HygieneSection())

FOUND = [
    ("write to a.b+c@example.co.uk please", "write to [EMAIL] please"),
    ("我的邮箱是zhang.san@qq.com，谢谢", "我的邮箱是[EMAIL]，谢谢"),
    ("邮箱zhang＠qq．com", "邮箱[EMAIL]"),
    ("写给 用户@例子.公司 谢谢", "写给 [EMAIL] 谢谢"),
    ("write to user@münchen.de", "write to [EMAIL]"),
    ("手机13812345678请回电", "手机[PHONE]请回电"),
    ("رقمي ١٣٨١٢٣٤٥٦٧٨", "رقمي [PHONE]"),
    ("phone 138\u00a01234\u00a05678", "phone [PHONE]"),
    ("card 4111\u20131111\u20131111\u20131111", "card [CARD]"),
    ("card 4111\u00a01111\u00a01111\u00a01111", "card [CARD]"),
    ("身份证 110105 19491231 002X", "身份证 [ID]"),
    ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [SECRET]"),
    ("npm_0123456789abcdefghijABCDEFGHIJ012345", "[SECRET]"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_[SECRET]"),
    ("电话：010-67055518。", "电话：[PHONE]。"),
    ("手机１３８１２３４５６７８", "手机[PHONE]"),
    ("call +49 30 901820 or (415) 555-2671", "call [PHONE] or [PHONE]"),
    ("我的身份证号是11010519491231002X。", "我的身份证号是[ID]。"),
    ("ssn 219-09-9998", "ssn [ID]"),
    ("DNI 12345678Z", "DNI [ID]"),
    ("card 4111 1111 1111 1111, thanks", "card [CARD], thanks"),
    ("card 5500-0000-0000-0004", "card [CARD]"),
    ("IBAN DE89 3704 0044 0532 0130 00 please", "IBAN [IBAN] please"),
    ("GB82WEST12345698765432", "[IBAN]"),
    ("from 52.95.110.1 and 2a00:1450:4001:81b::200e", "from [IP] and [IP]"),
    ("open http://52.95.110.1:8080/login", "open http://[IP]:8080/login"),
    ("Chrome/120.0.6099.109 from 91.12.33.44", "Chrome/120.0.6099.109 from [IP]"),
    ("我的IP是91.12.33.44，连不上", "我的IP是[IP]，连不上"),
    ("order 112-7791, call 4155552671", "order 112-7791, call [PHONE]"),
    ("my order is late, 4155552671 is my number", "my order is late, [PHONE] is my number"),
    ("so 4155552671 is my number", "so [PHONE] is my number"),
    ("order +1 415 555 2671", "order [PHONE]"),
    ("order 4111 1111 1111 1111", "order [CARD]"),
    ("login from ip/91.12.33.44", "login from ip/[IP]"),
    ("for my order call 4155552671", "for my order call [PHONE]"),
    ("account 4155552671", "account [PHONE]"),
    ("tel:4155552671", "tel:[PHONE]"),
    ("phone-4155552671", "phone-[PHONE]"),
    ("快递电话13812345678", "快递电话[PHONE]"),
    ("订单号20231124，手机13812345678", "订单号20231124，手机[PHONE]"),
    ("sk-proj-abcdefghijklmnopqrstuvwxyz123456", "[SECRET]"),
    ("key AKIAIOSFODNN7EXAMPLE!", "key [SECRET]!"),
    ("ghp_0123456789abcdefghijABCDEFGHIJ012345 leaked", "[SECRET] leaked"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_-9 x", "[SECRET] x"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nbye", "[SECRET]\nbye"),
]
LEFT = [
    "order 20231124123 of 2026-11-24 12:30:45, total 12,345.67",
    "unix 1795521540, or 1795521540000 in milliseconds",
    "pi is 3.14159265358979",
    "version 1.2.3.4, v10.2.0.1 and 版本 2.0.1.3",
    "ping 127.0.0.1, bind 0.0.0.0:80 or [::1]:80, mask 255.255.255.0, wildcard 0.0.0.255",
    "router 192.168.0.1, 10.0.0.0/8, 172.16.5.4, 169.254.1.1 and fe80::1, fd00::1",
    "examples 192.0.2.7, 198.51.100.23, 203.0.113.9 and 2001:db8::1, multicast 224.0.0.251 and ff02::fb",
    "on 2026-11-17 84511 parcels and on 2026-11-13 1018",
    "DNS 8.8.8.8, 1.1.1.1 or 114.114.114.114",
    "abc::def is C++, and so is std::vector",
    "firmware 4.2.1.30, section 4.2.1.3, § 5.1.2.3, build 22.1.4.7-beta, 固件3.0.1.2，第4.2.1.3节",
    "order 4155552671 and Order No. 4155552671, order #4155552671, order number is 4155552671",
    "order 4111111111111111, tracking number: 4155552671, ORD-4155552671, #4155552671",
    "invoice 4155552671, Bestellnummer 4155552671, case no 4155552671, pedido 4155552671",
    'Your order (4155552671), order_id=4155552671, {"order_id": "4155552671"}, receipt 4155552671',
    "version is 1.2.3.4, version=1.2.3.4, Firefox 115.0.2.1, lib_1.2.3.4, package-1.2.3.4.tar.gz, 1.2.3.4-SNAPSHOT",
    "http://169.254.169.254/latest, 100.64.0.1, ::ffff:10.0.0.1, fe80::1%eth0",
    "订单号13812345678，订单：13812345678，运单号：4155552671，快递单号是13812345678，发票号码4155552671",
    "card 4111 1111 1111 1112 has a wrong check digit",
    "身份证110105194912310021错了",
    "order 454111111111111111 looks like an id of a county that there never was",
    "地址 100081 北京市海淀区 50 号",
    "the years 1914-1918 and 1939-1945",
    "10,000,000,000 people",
    "from 12:30 to 14:45:10",
    "a sk-etch, an xo-xo and the task_name",
    "你好，今天天气怎么样？",
    "@all: see you @ 5",
    "the bearer of this letter, a wheelbearer too",
    "from 1914\u20131918, 12\u00a0345\u00a0678 people \u2014 so far",
]


@pytest.mark.parametrize(("text", "redacted"), FOUND)
def test_personal_data_is_replaced_by_its_kind(text: str, redacted: str) -> None:
    assert REDACTOR.redact(text).text == redacted


@pytest.mark.parametrize("text", LEFT)
def test_what_only_looks_like_it_is_left(text: str) -> None:
    assert REDACTOR.redact(text).text is text


@pytest.mark.parametrize(("text", "redacted"), FOUND)
def test_redacting_again_changes_nothing(text: str, redacted: str) -> None:
    assert REDACTOR.redact(redacted).text == redacted


def test_what_was_found_is_counted() -> None:
    found = REDACTOR.redact("a@b.de, c@d.de, 13812345678").found

    assert found == {PersonalData.EMAIL: 2, PersonalData.PHONE: 1}


def test_kinds_that_are_not_wanted_stay() -> None:
    redactor = Redactor(HygieneSection(redact=(PersonalData.PHONE,)))

    assert redactor.redact("a@b.de 13812345678").text == "a@b.de [PHONE]"


KEPT = HygieneSection.model_validate(
    {"keep": {"emails": ["Help@Example.com"], "domains": ["firm.de"], "phones": ["+49 30 901820", "010-67055518"],
              "addresses": ["52.95.110.0/24", "2a00:1450::/32"]}}
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to help@example.com, not to a@example.com", "write to help@example.com, not to [EMAIL]"),
        ("anna@firm.de, bob@mail.FIRM.de, eve@notfirm.de", "anna@firm.de, bob@mail.FIRM.de, [EMAIL]"),
        (
            "call +49 30 901820 or +4930901820 or 0049 30 901820",
            "call +49 30 901820 or +4930901820 or 0049 30 901820",
        ),
        ("call +49 30 901821", "call [PHONE]"),
        ("请拨打010-67055518或+86 10 6705 5518", "请拨打010-67055518或+86 10 6705 5518"),
        ("请拨打010-67055519", "请拨打[PHONE]"),
        ("52.95.110.7 and 52.95.111.7", "52.95.110.7 and [IP]"),
        ("2a00:1450:4001:81b::200e", "2a00:1450:4001:81b::200e"),
        ("8.8.8.8", "[IP]"),  # a list of one's own replaces the public name servers
    ],
)
def test_contacts_of_the_firm_stay(text: str, redacted: str) -> None:
    assert Redactor(KEPT).redact(text).text == redacted


@pytest.mark.parametrize(
    "keep",
    [
        {"emails": ["a"]},
        {"domains": ["a"]},
        {"domains": ["a@b.de"]},
        {"phones": ["x"]},
        {"addresses": ["1.2.3"]},
    ],
)
def test_a_contact_that_is_none_is_a_mistake_in_the_settings(keep: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="write each as"):
        HygieneSection.model_validate({"keep": keep})


def test_each_kind_has_its_placeholder() -> None:
    assert PLACEHOLDERS == ("[SECRET]", "[EMAIL]", "[IBAN]", "[ID]", "[CARD]", "[IP]", "[PHONE]")
    assert REDACTOR.redact(" ".join(PLACEHOLDERS)).found == {}


def test_without_kinds_nothing_is_looked_at() -> None:
    assert Redactor(HygieneSection(redact=())).redact("a@b.de").text == "a@b.de"


def test_a_number_is_a_phone_number_only_where_it_is_dialled() -> None:
    assert Redactor(HygieneSection(phone_regions=("US",))).redact("13812345678").found == {}
    assert Redactor(HygieneSection(phone_regions=())).redact("+86 138 1234 5678").text == "[PHONE]"


#: Choices in patterns, and one of each.
CHOICES = {
    "\\": "", "access_?key": "access_key", "[Bb]": "b", "(ghp|gho|ghu|ghs|ghr)": "ghp",
    "(glpat|gldt|glft|glsoat|glrt)": "glpat",
}  # fmt: skip


def test_a_credential_is_searched_for_where_the_words_of_its_pattern_are() -> None:
    for words, shapes in SECRETS:
        for shape in shapes:
            source = shape.pattern
            for choice, chosen in CHOICES.items():
                source = source.replace(choice, chosen)
            assert any(word in source.casefold() for word in words), shape.pattern


ANY_CASE = [
    f"ACCE\u017f\u017f_\u212aEY = {'aB1/' * 10}", f"AW\u017f_PASSWORD='{'aB1/' * 10}'", "XOXB-12-ab"
]  # fmt: skip


@pytest.mark.parametrize("text", ANY_CASE)
def test_a_credential_is_found_in_any_case(text: str) -> None:
    assert PersonalData.SECRET in REDACTOR.redact(f"{text} a@b.de").found


def test_json_is_redacted_in_keys_values_and_numbers() -> None:
    found: Counter[PersonalData] = Counter()
    value: JSON = {"a@b.de": ["c@d.de", 7, None, True], "phone": 13812345678, "at": 1795521540, "x": 1.5}

    redacted = REDACTOR.redact_json(value, found)

    assert redacted == {
        "[EMAIL]": ["[EMAIL]", 7, None, True], "phone": "[PHONE]", "at": 1795521540, "x": 1.5
    }  # fmt: skip
    assert found == {PersonalData.EMAIL: 2, PersonalData.PHONE: 1}


PIECES = st.sampled_from([text for text, _ in FOUND] + LEFT) | st.text(max_size=30)


@given(st.lists(PIECES, max_size=4).map(" ".join))
def test_any_text_comes_out_the_same_twice_and_no_more_is_found_in_it(text: str) -> None:
    once = REDACTOR.redact(text)

    assert REDACTOR.redact(text) == once
    assert REDACTOR.redact(once.text).text == once.text


@given(st.text(max_size=40), st.sampled_from([text for text, _ in FOUND[:1]]), st.text(max_size=40))
def test_an_address_is_found_wherever_it_stands(before: str, text: str, after: str) -> None:
    assert "example.co.uk" not in REDACTOR.redact(f"{before} {text} {after}").text


@given(st.text(alphabet="0123456789 -./()+x电abentT", max_size=60))
@example("4155558164 00(219) 127-41644")
@example("id 15280852534 x 19915234197")
@example("550e8400-e29b-41d4-a716-446655440000 a4155558164b 4155558164ext 4155558164")
def test_looking_at_runs_of_digits_misses_no_number_that_the_library_finds_in_the_whole_text(
    text: str,
) -> None:
    for region in ("CN", "US"):
        found = {at for span in phones(text, (region,)) for at in range(span.start, span.end)}
        for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
            assert found & set(range(match.start, match.end))
