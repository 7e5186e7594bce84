"""Recognises personal data and secrets: a pattern finds candidates, and a library validates each.

python-stdnum validates check digits, phonenumbers (Google's libphonenumber) numbering plans, and detect-secrets has the
patterns of credentials. All are local tables. This module is imported when the first suspicious text arrives.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any

from detect_secrets.plugins import (
    aws,
    github_token,
    gitlab_token,
    jwt,
    npm,
    openai,
    private_key,
    pypi_token,
    sendgrid,
    slack,
    stripe,
)
from phonenumbers import Leniency, PhoneMetadata, PhoneNumberMatcher
from stdnum import iban, luhn
from stdnum.br import cpf
from stdnum.cn import ric
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.kr import rrn
from stdnum.us import ssn

from daemon.intake.privacy.references import Span, is_version

Check = Callable[[str], bool]


_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}")
#: In scripts without spaces it takes preceding words for part of the name, so it is tried second.
_EMAIL_IN_ANY_SCRIPT = re.compile(r"[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")
_CARD = re.compile(r"(?<![\d-])[2-6](?:[ -]?\d){12,18}(?![\d-])")
_NO_ISSUERS = ("20", "21", "28", "29")  # of the numbers with a 2, cards have 22 to 27, and dates have 20
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_IPV6 = re.compile(r"(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
#: Patterns of addresses, what reads them, and how many of which separator they have at least.
_IP_FORMS: Sequence[tuple[re.Pattern[str], Callable[[str], IPv4Address | IPv6Address], str, int]] = (
    (_IPV4, IPv4Address, ".", 3),
    (_IPV6, IPv6Address, ":", 2),
)
#: All that are routed; the rest of what looks like an address is code, such as abc::def.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
#: A candidate for a phone number, and how many characters around it decide whether it is one.
_DIALLED = re.compile(r"\+?\(?[0-9][0-9 ().\-/]{4,}[0-9]")
_AROUND = 12
#: Letters that end no word for an extension, such as "ext" or "anexo", which the library takes for part of a number.
_LETTER = "[A-MP-SU-WYZa-mp-su-wyz]"
#: Digits and dashes that a Latin letter touches, as in a UUID: the library refuses these.
_IN_A_WORD = re.compile(
    rf"(?<={_LETTER})[0-9]+(?:-[0-9]+)*"
    rf"|(?:\A|(?<={_LETTER}-))[0-9]+(?:-[0-9]+)*(?=[A-Za-z])(?!(?i:e?x|int|anexo))"
)
_LONGEST_IN_A_WORD = 20  # the library may divide longer ones
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


def _shapes_of(plugin: Any) -> Sequence[re.Pattern[str]]:
    return tuple(plugin().denylist)


#: Patterns of credentials: detect-secrets' and those that it lacks. Each match contains one of the words before them, in
#: lower case, so that most texts are searched for the words alone.
SECRETS: Sequence[tuple[tuple[str, ...], Sequence[re.Pattern[str]]]] = (
    (("private key", "putty-user-key-file"), (_PEM, *_shapes_of(private_key.PrivateKeyDetector))),
    (("sk-",), (re.compile(r"\bsk-(?:proj-|ant-|or-)?[A-Za-z0-9_-]{20,}"), *_shapes_of(openai.OpenAIDetector))),
    (("aiza",), (re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),)),
    (("hf_",), (re.compile(r"\bhf_[A-Za-z0-9]{30,}"),)),
    (
        ("eyj",),
        (
            re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?"),
            *_shapes_of(jwt.JwtTokenDetector),
        ),
    ),
    (
        ("github_pat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        (re.compile(r"\bgithub_pat_[A-Za-z0-9_]{22,}"), *_shapes_of(github_token.GitHubTokenDetector)),
    ),
    (("npm_", "_authtoken"), (re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"), *_shapes_of(npm.NpmDetector))),
    (("bearer ",), (re.compile(r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{20,}=*"),)),
    (
        ("accesskey", "access_key"),
        (re.compile(r"(?:secret_?)?access_?key\W{1,5}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])", re.IGNORECASE),),
    ),
    (("a3t", "abia", "acca", "akia", "asia", "aws"), _shapes_of(aws.AWSKeyDetector)),
    (
        ("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "gr1348941", "glcbt-", "glimt-", "glptt-", "glagent-", "gloas-"),
        _shapes_of(gitlab_token.GitLabTokenDetector),
    ),
    (("pypi-",), _shapes_of(pypi_token.PypiTokenDetector)),
    (("sg.",), _shapes_of(sendgrid.SendGridDetector)),
    (("xox", "hooks.slack"), _shapes_of(slack.SlackDetector)),
    (("k_live_",), _shapes_of(stripe.StripeDetector)),
)  # fmt: skip

#: What each national id and each card contains: most texts with digits are searched for these alone.
_IN_EACH_ID = re.compile(r"\d{3}[ .-]?\d{2,3}[ .-]?\d{2}")
_IN_EACH_CARD = re.compile(r"\d[\d -]{12}")


def _is_chinese_id(found: str) -> bool:
    try:
        return ric.is_valid(re.sub("[ -]", "", found))
    except KeyError:  # the library knows the province, but not the county
        return False


#: National ids. The patterns alone would match too much, so a check digit must be right.
_IDS: Sequence[tuple[re.Pattern[str], Check]] = (
    (re.compile(r"(?<!\d)\d{6}[ -]?\d{8}[ -]?\d{3}[\dXx](?![\dA-Za-z])"), _is_chinese_id),
    (re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"), ssn.is_valid),
    (re.compile(r"(?<![\d-])\d{6}-\d{7}(?![\d-])"), rrn.is_valid),
    (re.compile(r"(?<![\d.])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)"), cpf.is_valid),
    (re.compile(r"(?<![A-Za-z0-9])\d{8}-?[A-Za-z](?![A-Za-z0-9])"), dni.is_valid),
    (re.compile(r"(?<![A-Za-z0-9])[XYZxyz]-?\d{7}-?[A-Za-z](?![A-Za-z0-9])"), nie.is_valid),
    (re.compile(r"(?<!\d)[12] ?\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{3} ?\d{2}(?!\d)"), nir.is_valid),
)  # fmt: skip


def _is_card(found: str) -> bool:
    digits = re.sub("[ -]", "", found)
    return not digits.startswith(_NO_ISSUERS) and luhn.is_valid(digits)


def emails(text: str) -> Iterator[Span]:
    """Find e-mail addresses."""
    if "@" not in text:
        return
    found = [Span(*match.span()) for match in _EMAIL.finditer(text)]
    yield from found
    for match in () if text.isascii() else _EMAIL_IN_ANY_SCRIPT.finditer(text):
        if not any(span.start < match.end() and match.start() < span.end for span in found):
            yield Span(*match.span())


def secrets(text: str) -> Iterator[Span]:
    """Find API keys, tokens and private keys."""
    folded = text.casefold()
    for words, shapes in SECRETS:
        for word in words:
            if word in folded:
                yield from (Span(*match.span()) for shape in shapes for match in shape.finditer(text))
                break


def cards(text: str) -> Iterator[Span]:
    """Find payment cards: 13 to 19 digits with an issuer's first digit and a valid check digit."""
    if _IN_EACH_CARD.search(text):
        yield from _checked(text, _CARD, _is_card)


def ibans(text: str) -> Iterator[Span]:
    """Find bank accounts (IBAN), without following text that looks like a part of them."""
    for match in _IBAN.finditer(text):
        end = match.end()
        while end - match.start() >= 15:
            if iban.is_valid(text[match.start() : end]):
                yield Span(match.start(), end)
                break
            end -= 1


def national_ids(text: str) -> Iterator[Span]:
    """Find national ids of China, the US, Korea, Brazil, Spain and France."""
    if _IN_EACH_ID.search(text):
        for shape, check in _IDS:
            yield from _checked(text, shape, check)


def ip_addresses(text: str) -> Iterator[Span]:
    """Find addresses that can be a person's: public ones. Numbers of versions and sections are none."""
    for shape, parse, separator, count in _IP_FORMS:
        for match in () if text.count(separator) < count else shape.finditer(text):
            try:
                address = parse(match[0])
            except ValueError:
                continue
            if _is_public(address) and not is_version(text, match.start(), match.end()):
                yield Span(*match.span())


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        return address in _GLOBAL_UNICAST and address.is_global
    return address.is_global and not address.is_multicast


def phones(
    text: str, regions: Sequence[str], is_other: Callable[[str, Span], bool] = lambda _text, _span: False
) -> Iterator[Span]:
    """Find phone numbers: international ones, and national ones of the regions.

    The library's search is slow, so it is given only runs of digits that may hold a number, with some context, and none
    that ``is_other`` knows as something else.
    """
    for run in _DIALLED.finditer(text):
        if _is_in_a_word(text, run) or is_other(text, Span(*run.span())):
            continue
        digits = sum(map(str.isdecimal, run[0]))
        for region in regions or (None,):
            if _may_hold_a_number(run[0], digits, region):
                yield from _numbers_in(text, run, region)


def _is_in_a_word(text: str, run: re.Match[str]) -> bool:
    if len(run[0]) > _LONGEST_IN_A_WORD:
        return False
    found = _IN_A_WORD.match(text, run.start())
    return found is not None and found.end() == run.end()


def _may_hold_a_number(run: str, digits: int, region: str | None) -> bool:
    if digits == len(run) and not run.startswith("0"):
        return len(run) in _lengths(region)
    return run[0] in "+0(" or digits >= min(_lengths(region), default=0)


def _numbers_in(text: str, run: re.Match[str], region: str | None) -> Iterator[Span]:
    start, end = max(0, run.start() - _AROUND), run.end() + _AROUND
    while start > 0 and text[start - 1].isdecimal():  # do not split a number
        start -= 1
    while end < len(text) and text[end].isdecimal():
        end += 1
    for match in PhoneNumberMatcher(text[start:end], region, leniency=Leniency.VALID):
        span = Span(start + match.start, start + match.end)
        if span.start < run.end() and run.start() < span.end:
            yield span


@lru_cache
def _lengths(region: str | None) -> frozenset[int]:
    """Return the numbers of digits that a phone number of a region may have, with and without prefixes."""
    metadata = PhoneMetadata.metadata_for_region(region) if region else None
    if metadata is None or metadata.general_desc is None:
        return frozenset()
    trunk = len(metadata.national_prefix or "")
    lengths = metadata.general_desc.possible_length
    return frozenset(
        length + more for length in lengths for more in (0, trunk, len(str(metadata.country_code)))
    )


def _checked(text: str, shape: re.Pattern[str], check: Check) -> Iterator[Span]:
    return (Span(*match.span()) for match in shape.finditer(text) if check(match[0]))
