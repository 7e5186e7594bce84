from collections import Counter

import orjson
import pytest

from daemon.config.settings import HygieneSection
from daemon.domain.conversation import Conversation, Feedback, FeedbackRecord, Message, ToolCall
from daemon.domain.personal_data import PersonalData
from daemon.intake.privacy.admission import Admission
from daemon.intake.privacy.cleaning import Cleaner
from daemon.intake.privacy.redaction import Redactor
from tests.factories.ledger import NOW

CLEANER = Cleaner(
    Redactor(HygieneSection()),
    pseudonym=lambda id_: f"hash of {len(id_)}",
    user_pseudonym=lambda id_: f"user of {len(id_)}",
)


def a_conversation(*contents: str, name: str = "c1", **more: object) -> Conversation:
    messages = tuple(
        Message(role="assistant" if place % 2 else "user", content=content)
        for place, content in enumerate(contents or ("hello", "hi"))
    )
    return Conversation(**{"conversation_id": name, "at": NOW, "messages": messages, **more})  # type: ignore[arg-type]


def test_a_clean_conversation_is_passed_on_as_it_is() -> None:
    conversation = a_conversation()

    assert CLEANER.clean(conversation, Counter()) is conversation


def test_every_text_of_a_conversation_is_redacted_and_counted() -> None:
    found: Counter[PersonalData] = Counter()
    conversation = a_conversation(
        "mail a@b.de", "to b@c.de?", feedback=Feedback(correction="no, c@d.de"), metadata={"from": "d@e.de"}
    )

    clean = CLEANER.clean(conversation, found)

    assert "@" not in repr(clean)
    assert found == {PersonalData.EMAIL: 4}


def test_the_rejected_answer_is_redacted_as_all_others_are() -> None:
    found: Counter[PersonalData] = Counter()
    worse = Message(role="assistant", content="ask a@b.de", reasoning="b@c.de knows", name="u1")

    clean = CLEANER.clean(a_conversation(user_id="u1", rejected=worse), found)

    assert isinstance(clean, Conversation)
    assert clean.rejected == Message(
        role="assistant", content="ask [EMAIL]", reasoning="[EMAIL] knows", name="user of 2"
    )
    assert found == {PersonalData.EMAIL: 2}


def test_reasoning_names_calls_and_results_of_tools_are_redacted_too() -> None:
    call = ToolCall(name="lookup", arguments='{"mail": "a@b.de", "phone": 13812345678, "n": 2}', id="call-1")
    messages = (
        Message(role="user", content="hi", name="c@d.de"),
        Message(role="assistant", content="", reasoning="They wrote from d@e.de", tool_calls=(call,)),
        Message(role="tool", content='{"owner": "e@f.de"}', tool_call_id="call-1", name="lookup"),
    )
    found: Counter[PersonalData] = Counter()

    user, assistant, tool = CLEANER.clean(a_conversation(messages=messages), found).messages  # type: ignore[union-attr]

    assert user.name == "[EMAIL]"
    assert assistant.reasoning == "They wrote from [EMAIL]"
    assert orjson.loads(assistant.tool_calls[0].arguments) == {"mail": "[EMAIL]", "phone": "[PHONE]", "n": 2}
    assert (assistant.tool_calls[0].name, assistant.tool_calls[0].id) == ("lookup", "call-1")
    assert (tool.content, tool.name) == ('{"owner": "[EMAIL]"}', "lookup")
    assert found == {PersonalData.EMAIL: 4, PersonalData.PHONE: 1}


@pytest.mark.parametrize(
    ("arguments", "clean"),
    [
        ('{"mail": "a@b.de"', '{"mail": "[EMAIL]"'),
        ("a@b.de", "[EMAIL]"),
        ('"a@b.de"', '"[EMAIL]"'),
        ("[" * 100 + '"a@b.de"' + "]" * 100, "[" * 100 + '"[EMAIL]"' + "]" * 100),
        ('{"city":  "Bern"}', '{"city":  "Bern"}'),
    ],
)
def test_arguments_that_are_no_object_are_redacted_as_text(arguments: str, clean: str) -> None:
    call = ToolCall(name="f", arguments=arguments)
    messages = (Message(role="user", content="hi"), Message(role="assistant", content="", tool_calls=(call,)))

    found = CLEANER.clean(a_conversation(messages=messages), Counter())

    assert isinstance(found, Conversation)
    assert found.messages[1].tool_calls[0].arguments == clean


def test_the_session_documents_and_tools_are_redacted_too() -> None:
    conversation = a_conversation(
        session_id="a@b.de",
        documents=({"text": "write to c@d.de"},),
        tools=({"name": "f", "to": ["e@f.de"]},),
    )

    clean = CLEANER.clean(conversation, Counter())

    assert isinstance(clean, Conversation)
    assert clean.session_id == "hash of 6"
    assert clean.documents == ({"text": "write to [EMAIL]"},)
    assert clean.tools == ({"name": "f", "to": ["[EMAIL]"]},)


def test_a_speaker_who_is_the_user_gets_the_users_pseudonym() -> None:
    messages = (
        Message(role="user", content="hi", name="ada"),
        Message(role="assistant", content="hi", name="bot"),
    )

    clean = CLEANER.clean(a_conversation(messages=messages, user_id="ada"), Counter())

    assert isinstance(clean, Conversation)
    assert [message.name for message in clean.messages] == ["user of 3", "bot"]


def test_an_id_with_personal_data_gets_a_pseudonym_in_feedback_too() -> None:
    conversation = CLEANER.clean(a_conversation(name="a@b.de"), Counter())
    opinion = FeedbackRecord(conversation_id="a@b.de", at=NOW, feedback=Feedback(thumb="up"))

    assert conversation.conversation_id == CLEANER.clean(opinion, Counter()).conversation_id == "hash of 6"


def test_a_number_split_over_turns_is_nobodys_number() -> None:
    conversation = a_conversation("1381234", "5678")

    assert CLEANER.clean(conversation, Counter()) == conversation


def test_metadata_keep_no_users_id() -> None:
    metadata = {
        "user_id": "u-4", "userName": ["Ann", 7, True, None], "end_user": {"id": 12, "vip": True}, "session": "u-4",
        "n": 4, "users_online": 3, "safety_identifier": "u-9", "deep": [{"by": "u-4"}],
    }  # fmt: skip

    clean = CLEANER.clean(a_conversation(user_id="u-4", metadata=metadata), Counter())

    assert isinstance(clean, Conversation)
    assert clean.metadata == {
        "user_id": "user of 3", "userName": ["user of 3", "user of 1", True, None],
        "end_user": {"id": "user of 2", "vip": True}, "session": "user of 3", "n": 4, "users_online": 3,
        "safety_identifier": "user of 3", "deep": [{"by": "user of 3"}],
    }  # fmt: skip


TENANTS = Admission(HygieneSection(tenants=("acme",), consent_field="ok"))


@pytest.mark.parametrize(
    "metadata",
    [
        {}, {"tenant": "acme"}, {"ok": True}, {"tenant": "other", "ok": True}, {"tenant": "acme", "ok": "true"},
        {"tenant": "acme", "ok": 1}, {"tenant": ["acme"], "ok": True}, {"tenant": None, "ok": True},
    ],
)  # fmt: skip
def test_what_is_not_known_to_be_allowed_is_not(metadata: dict[str, object]) -> None:
    assert not TENANTS.admits(a_conversation(metadata=metadata))


def test_a_tenant_on_the_list_that_consents_is_admitted() -> None:
    conversation = a_conversation(metadata={"tenant": "acme", "ok": True})

    assert TENANTS.admits(conversation)
    assert TENANTS.source(conversation) == "acme"


def test_without_conditions_everybody_is_admitted() -> None:
    assert Admission(HygieneSection()).admits(a_conversation())
