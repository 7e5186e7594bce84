import contextlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config.settings import LimitsSection
from daemon.domain.bad_record import Absence
from daemon.domain.conversation import JSON, Conversation, Feedback, FeedbackRecord, Message, Record
from daemon.intake.decoding import BadRecord, NoConversation, Reason, decode
from tests.factories.intake import NOW, a_completion, a_message, a_record, as_bytes
from tests.support.hostile import values


def decoded(record: Mapping[str, JSON], **limits: int) -> Record:
    return decode(as_bytes(record), limits=LimitsSection(**limits), received_at=NOW)


def conversation(record: Mapping[str, JSON], **limits: int) -> Conversation:
    found = decoded(record, **limits)
    assert isinstance(found, Conversation)
    return found


def refusal(value: bytes | None, **limits: int) -> BadRecord:
    with pytest.raises(BadRecord) as refused:
        decode(value, limits=LimitsSection(**limits), received_at=NOW)
    return refused.value


def test_a_native_conversation_keeps_who_when_and_what() -> None:
    record = a_record(model_version="support-bot-v7", feedback={"thumb": "up"}, metadata={"channel": "web"})

    assert decoded(record) == Conversation(
        conversation_id="c-1",
        at=datetime(2026, 11, 24, 11, 59, tzinfo=UTC),
        model_line="support-bot",
        model_version="support-bot-v7",
        user_id="u-1",
        messages=(
            Message(role="user", content="Where is my parcel?"),
            Message(role="assistant", content="在路上，明天到。"),
        ),
        feedback=Feedback(thumb="up"),
    )
    assert conversation(record).metadata == {"channel": "web"}


def test_later_feedback_names_its_conversation() -> None:
    record: dict[str, JSON] = {
        "conversation_id": "c-1",
        "ts": 1_795_521_540,
        "feedback": {"rating": 2, "correction": "明天到"},
    }

    assert decoded(record) == FeedbackRecord(
        conversation_id="c-1",
        at=datetime.fromtimestamp(1_795_521_540, UTC),
        feedback=Feedback(rating=2.0, correction="明天到"),
    )


def test_a_logged_completion_becomes_a_conversation() -> None:
    found = conversation(a_completion())

    assert (found.conversation_id, found.model_version, found.user_id) == (
        "chatcmpl-1",
        "support-bot-v7",
        "u-1",
    )
    assert found.at == datetime.fromtimestamp(1_795_521_540, UTC)
    assert [(turn.role, turn.content) for turn in found.messages] == [
        ("user", "Where is my parcel?"),
        ("assistant", "On its way."),
    ]
    assert found.metadata["request"] == {"temperature": 0.2}
    assert found.metadata["finish_reason"] == "stop"


def test_text_parts_are_joined() -> None:
    parts: JSON = [{"type": "text", "text": "Look:"}, {"type": "text", "text": "一个包裹"}]
    found = conversation(
        a_record(messages=[{"role": "user", "content": parts}, a_message("assistant", "Yes.")])
    )

    assert found.messages[0].content == "Look:\n一个包裹"


@pytest.mark.parametrize(
    "ts",
    [
        "2026-11-24T11:59:00Z",
        "2026-11-24T19:59:00+08:00",
        "2026-11-24T11:59:00",
        1795521540,
        1795521540.0,
        1795521540000,
    ],
)
def test_every_way_to_write_a_time_means_the_same_instant(ts: JSON) -> None:
    assert conversation(a_record(ts=ts)).at == datetime(2026, 11, 24, 11, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("u-1", "u-1"),
        (12345, "12345"),
        (12345.0, "12345"),
        (2**64 - 1, "18446744073709551615"),
        (-3, "-3"),
        ({"$oid": "65f0c0ffee"}, "65f0c0ffee"),
        ({"$numberLong": "991"}, "991"),
        ({"id": 5, "name": "Ada"}, "5"),
        ("", None),
        (None, None),
    ],
)
def test_every_way_to_write_an_id_gives_a_text(written: JSON, read: str | None) -> None:
    assert conversation(a_record(user_id=written)).user_id == read


def test_turns_of_one_role_in_a_row_are_joined() -> None:
    messages = [a_message("system", "Be kind."), a_message("user", "hi"), a_message("user", "在吗？")]

    assert conversation(a_record(messages=[*messages, a_message("assistant", "在")])).messages[:-1] == (
        Message(role="system", content="Be kind."),
        Message(role="user", content="hi\n在吗？"),
    )


def test_an_opening_greeting_of_the_assistant_stays() -> None:
    messages = [a_message("assistant", "How can I help?"), a_message("user", "hi")]

    assert [turn.role for turn in conversation(a_record(messages=messages)).messages] == ["assistant", "user"]


def test_fields_that_nobody_knows_are_kept_as_metadata() -> None:
    assert conversation(a_record(tenant="acme", metadata={"channel": "web"})).metadata == {
        "channel": "web",
        "tenant": "acme",
    }


def test_metadata_that_does_not_fit_is_left_out_by_name() -> None:
    found = conversation(a_record(big="x" * 16_384, small=1))

    assert found.metadata == {"small": 1, "retuned.left_out": ["big"]}


def test_metadata_that_is_nested_too_deeply_is_left_out() -> None:
    deep: JSON = 1
    for _ in range(17):
        deep = [deep]

    assert conversation(a_record(deep=deep)).metadata == {"retuned.left_out": ["deep"]}


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"conversation_id": None}, Reason.MISSING_FIELD, "conversation_id"),
        ({"conversation_id": 7.5}, Reason.BAD_FIELD, "conversation_id"),
        ({"conversation_id": True}, Reason.BAD_FIELD, "conversation_id"),
        ({"conversation_id": [7]}, Reason.BAD_FIELD, "conversation_id"),
        ({"conversation_id": {"$oid": ""}}, Reason.BAD_FIELD, "conversation_id"),
        ({"conversation_id": {"name": "c"}}, Reason.BAD_FIELD, "conversation_id"),
        ({"conversation_id": {"$oid": "a\u0000b"}}, Reason.BAD_FIELD, "conversation_id"),
        ({"conversation_id": ""}, Reason.MISSING_FIELD, "conversation_id"),
        ({"conversation_id": "a\u0000b"}, Reason.BAD_FIELD, "conversation_id"),
        ({"user_id": "u" * 257}, Reason.OVER_LIMIT, "user_id"),
        ({"ts": None}, Reason.MISSING_FIELD, "ts"),
        ({"ts": ""}, Reason.MISSING_FIELD, "ts"),
        ({"ts": "yesterday"}, Reason.BAD_FIELD, "ts"),
        ({"ts": "2026-11-20"}, Reason.BAD_FIELD, "ts"),
        ({"ts": "20/11/2026 08:00"}, Reason.BAD_FIELD, "ts"),
        ({"ts": True}, Reason.BAD_FIELD, "ts"),
        ({"ts": -1}, Reason.BAD_FIELD, "ts"),
        ({"ts": 1e300}, Reason.BAD_FIELD, "ts"),
        ({"ts": "2026-11-26T12:00:00Z"}, Reason.OVER_LIMIT, "ts"),
        ({"messages": "hello"}, Reason.BAD_FIELD, "messages"),
        ({"messages": ["hello"]}, Reason.BAD_FIELD, "messages[0]"),
        ({"messages": [a_message("robot")]}, Reason.BAD_FIELD, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "hi"}]}, Reason.BAD_FIELD, "messages[0].role"),
        ({"messages": [a_message("user", "a\0b")]}, Reason.BAD_FIELD, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 7}]}, Reason.BAD_FIELD, "messages[0].content"),
        ({"messages": [{"role": "assistant", "tool_calls": 1}]}, Reason.BAD_FIELD, "messages[0].tool_calls"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{}]}]},
            Reason.MISSING_FIELD,
            "messages[0].tool_calls[0].name",
        ),
        ({"tools": 1}, Reason.BAD_FIELD, "tools"),
        ({"metadata": [1]}, Reason.BAD_FIELD, "metadata"),
    ],
)
def test_a_bad_field_is_refused_by_name(changes: dict[str, JSON], reason: Reason, field: str) -> None:
    refused = refusal(as_bytes(a_record(**changes)))

    assert (refused.reason, refused.field) == (reason, field)
    assert str(refused).startswith(field)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.EMPTY),
        (b"", Reason.EMPTY),
        (b"{", Reason.NOT_JSON),
        (b'{"conversation_id": "\xff"}', Reason.NOT_JSON),
        (b'{"ts": NaN}', Reason.NOT_JSON),
        (b'{"user_id": "\\ud800"}', Reason.UNKNOWN_SHAPE),  # a lone surrogate is replaced
        (b"[" * 100_000, Reason.NOT_JSON),
        (b"[" * 10_000 + b"]" * 10_000, Reason.NOT_JSON),
        (b'{"messages":' * 10_000 + b"1" + b"}" * 10_000, Reason.NOT_JSON),
        (b"[" * 1_024 + b"]" * 1_024, Reason.UNKNOWN_SHAPE),  # the deepest that the parser takes
        (b'{"ts": Infinity}', Reason.NOT_JSON),
        (b'{"ts": -Infinity}', Reason.NOT_JSON),
        (b'{"ts": 1e400}', Reason.NOT_JSON),
        (b'{"ts": ' + b"1" * 400 + b"}", Reason.NOT_JSON),
        (b'{"user_id": "\xc0\x80"}', Reason.NOT_JSON),  # overlong
        (b'{"user_id": "\xed\xa0\x80"}', Reason.NOT_JSON),  # a surrogate in UTF-8
        (b"\xef\xbb\xbf{}", Reason.UNKNOWN_SHAPE),
        (b"[]", Reason.UNKNOWN_SHAPE),
        (b'{"id": 1}', Reason.UNKNOWN_SHAPE),
        (b'{"request": {}}', Reason.UNKNOWN_SHAPE),
    ],
)
def test_what_is_no_record_at_all_is_refused(value: bytes | None, reason: Reason) -> None:
    assert refusal(value).reason is reason


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b"18446744073709551615", 18446744073709551615), (b"18446744073709551616", 18446744073709551616.0),
        (b"-9223372036854775809", -9223372036854775808.0), (b"-0", 0), (b"1e-400", 0.0), (b"1E308", 1e308),
    ],
)  # fmt: skip
def test_numbers_at_the_limits_are_kept_and_can_be_written_again(written: bytes, kept: float) -> None:
    value = as_bytes(a_record())[:-1] + b', "n": ' + written + b"}"

    found = decode(value, limits=LimitsSection(), received_at=NOW)

    assert found.metadata["n"] == kept
    assert orjson.loads(orjson.dumps(found.metadata)) == {"n": kept}


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 1e308])
def test_a_time_at_the_limits_of_numbers_is_refused_by_name(number: float) -> None:
    assert refusal(as_bytes(a_record(ts=number))).field == "ts"


def test_the_smallest_number_is_the_beginning_of_time() -> None:
    assert conversation(a_record(ts=5e-324)).at == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "feedback",
    [{}, {"thumb": "sideways"}, {"thumb": ["up"]}, {"rating": 5.5}, {"rating": 2**64 - 1}, {"rating": 5e-324},
     {"correction": ""}, {"comment": "nice"}, [1], 1, 1e308],
)  # fmt: skip
def test_feedback_that_can_not_be_read_costs_its_conversation_nothing(feedback: JSON) -> None:
    assert conversation(a_record(feedback=feedback)).feedback is None


def test_late_feedback_that_can_not_be_read_is_passed_over() -> None:
    refused = refusal(as_bytes({"conversation_id": "c-1", "ts": 1_795_521_540, "feedback": {"rating": 8}}))

    assert isinstance(refused, NoConversation)
    assert refused.kind is Absence.UNUSABLE_FEEDBACK


@pytest.mark.parametrize("ts", ["", None])
def test_a_record_without_a_time_has_that_of_kafka(ts: JSON) -> None:
    sent_at = NOW - timedelta(hours=1)

    found = decode(as_bytes(a_record(ts=ts)), limits=LimitsSection(), received_at=NOW, recorded_at=sent_at)

    assert isinstance(found, Conversation)
    assert found.at == sent_at


def test_of_two_fields_of_one_name_the_last_counts() -> None:
    value = as_bytes(a_record(consent=True))[:-1] + b', "consent": false}'

    assert decode(value, limits=LimitsSection(), received_at=NOW).metadata == {"consent": False}


def test_the_size_is_checked_before_parsing() -> None:
    assert refusal(b"\xff" * 101, record_bytes=100).reason is Reason.TOO_LARGE


def test_a_record_of_exactly_the_size_is_taken() -> None:
    value = as_bytes(a_record())

    decode(value, limits=LimitsSection(record_bytes=len(value)), received_at=NOW)


def test_a_record_may_be_a_little_ahead_of_our_clock() -> None:
    ahead = (NOW + timedelta(hours=23)).isoformat()

    assert conversation(a_record(ts=ahead)).at > NOW


def test_too_many_messages_are_refused() -> None:
    assert refusal(as_bytes(a_record(messages=[a_message()] * 3)), messages=2).reason is Reason.OVER_LIMIT


def test_a_message_that_is_too_long_is_refused() -> None:
    refused = refusal(as_bytes(a_record()), message_chars=10)

    assert (refused.reason, refused.field) == (Reason.OVER_LIMIT, "messages[0].content")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request": 1}, "request"),
        ({"request": {"model": "m"}}, "request.messages"),
        ({"response": {"id": "x", "created": 1, "choices": []}}, "response.choices"),
        ({"response": {"id": "x", "created": 1, "choices": [{"message": 1}]}}, "response.choices[0].message"),
        ({"response": {"created": 1, "choices": [{"message": a_message("assistant")}]}}, "response.id"),
    ],
)
def test_a_broken_completion_is_refused_by_field(changes: dict[str, JSON], field: str) -> None:
    assert refusal(as_bytes(a_completion(**changes))).field == field


@pytest.mark.parametrize(
    ("messages", "kind"),
    [
        ([], Absence.NO_QUESTION),
        ([a_message("system", "S"), a_message("assistant", "hi")], Absence.NO_QUESTION),
        ([a_message("user", " \n"), a_message("assistant", "hi")], Absence.NO_QUESTION),
        ([a_message()], Absence.NO_ANSWER),
        ([a_message(), {"role": "assistant", "content": None}], Absence.NO_ANSWER),
        ([a_message(), a_message("assistant", "redacted-by-litellm")], Absence.REDACTED),
    ],
)
def test_a_record_without_a_conversation_says_why(messages: list[JSON], kind: Absence) -> None:
    refused = refusal(as_bytes(a_record(messages=messages)))

    assert isinstance(refused, NoConversation)
    assert (refused.kind, refused.format) == (kind, "native")


def test_a_refusal_does_not_repeat_what_was_said() -> None:
    secret = "my card is 4111"
    refused = refusal(as_bytes(a_record(messages=[{"role": secret, "content": secret}])))

    assert secret not in str(refused)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_as_bad_records(value: bytes) -> None:
    assert refusal(value).reason in Reason


@settings(deadline=None, max_examples=500)
@given(values)
def test_only_bad_records_escape(value: bytes | None) -> None:
    with contextlib.suppress(BadRecord):
        found = decode(value, limits=LimitsSection(), received_at=NOW)
        assert orjson.dumps(found.metadata)
        assert isinstance(found, FeedbackRecord) or "user" in {turn.role for turn in found.messages}


def test_decoding_a_usual_record_takes_well_under_a_millisecond() -> None:
    value = as_bytes(a_record(messages=[a_message("user", "w " * 150), a_message("assistant", "词" * 80)]))
    times: list[float] = []
    for _ in range(2000):
        start = time.perf_counter()
        decode(value, limits=LimitsSection(), received_at=NOW)
        times.append(time.perf_counter() - start)

    assert sorted(times)[1800] < 1e-3


@pytest.mark.parametrize(
    ("feedback", "score"),
    [
        (Feedback(thumb="up"), 1.0),
        (Feedback(thumb="down"), -1.0),
        (Feedback(rating=1), -1.0),
        (Feedback(rating=3), 0.0),
        (Feedback(rating=4.5), 0.75),
        (Feedback(rating=5, thumb="down"), 1.0),
        (Feedback(correction="No, tomorrow."), -1.0),
        (Feedback(correction="A bit more detail.", thumb="up"), 1.0),
        (Feedback(), None),
    ],
)
def test_feedback_has_one_score(feedback: Feedback, score: float | None) -> None:
    assert feedback.score == score
