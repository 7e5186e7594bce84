import contextlib
from datetime import UTC, datetime

import jsonschema  # type: ignore[import-untyped]
from hypothesis import event, given, settings
from hypothesis import strategies as st

from daemon.config.settings import LimitsSection
from daemon.domain.conversation import JSON
from daemon.intake.decoding import BadRecord, NoConversation, decode
from daemon.intake.record_schema import record_schema
from tests.factories.intake import NOW, a_completion, a_message, a_record, as_bytes

SCHEMA = jsonschema.Draft202012Validator(record_schema())

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
#: Mostly good, so that about half of the records are.
names = st.sampled_from(["u-1", "用户", " ", "a/b", "x" * 256] * 4 + ["", "a\n"])
texts = st.sampled_from(["hi", "你好", "a\n", "嗯"] * 8 + [" ", "a\0b"]) | st.text(min_size=3, max_size=9)
objects = st.none() | st.dictionaries(st.text(max_size=9), junk, max_size=3)
times = (
    st.integers(0, 1_790_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat())
    | st.integers(0, 1_790_000_000)
    | st.integers(10**11, 1_790_000_000_000)
    | st.floats(0, 1e9)
)
contents = texts | st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": texts}), min_size=1, max_size=2
)
CALL: JSON = {"id": "call-1", "type": "function", "function": {"name": "track", "arguments": "{}"}}
roles = st.sampled_from(["user", "assistant"] * 12 + ["tool"])
turns: st.SearchStrategy[dict[str, JSON]] = st.fixed_dictionaries(
    {"role": roles, "content": contents | st.none()},
    optional={"tool_calls": st.sampled_from([None, [], [CALL], [{}]]), "reasoning": texts | st.none()},
)
messages = st.builds(
    lambda system, first, others: [*system, {"role": "user", "content": first}, *others],
    st.lists(st.fixed_dictionaries({"role": st.just("system"), "content": texts}), max_size=1),
    contents,
    st.lists(turns, max_size=3),
) | st.lists(turns, max_size=1)
feedback = st.fixed_dictionaries(
    {"thumb": st.sampled_from(["up", "down", "up", None, "?"])},
    optional={
        "rating": st.floats(0.9, 5) | st.none(),
        "correction": texts | st.none(),
        "note": junk,
    },
)
shared = {
    "model_line": names | st.none(),
    "user_id": names | st.none(),
    "metadata": objects,
    "extra": junk,
}
natives = st.fixed_dictionaries(
    {"conversation_id": names, "ts": times, "messages": messages},
    optional=shared | {"feedback": feedback | st.none()},
)
late = st.fixed_dictionaries({"conversation_id": names, "ts": times, "feedback": feedback}, optional=shared)
completions = st.fixed_dictionaries(
    {
        "request": st.fixed_dictionaries(
            {"messages": messages}, optional={"model": names, "user": names, "n": junk}
        ),
        "response": st.fixed_dictionaries(
            {
                "id": names,
                "created": times,
                "choices": st.lists(
                    st.fixed_dictionaries(
                        {
                            "message": st.fixed_dictionaries(
                                {"content": contents},
                                optional={"role": st.sampled_from(["assistant", "assistant", "user"])},
                            )
                        }
                    ),
                    max_size=2,
                ),
            },
            optional={"model": names | st.none(), "usage": junk},
        ),
    },
    optional={"feedback": feedback, "metadata": objects},
)
records = natives | late | completions


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(record_schema())


def test_the_schema_accepts_each_shape() -> None:
    SCHEMA.validate(a_record(feedback={"rating": 4}))
    SCHEMA.validate(a_completion())
    SCHEMA.validate({"conversation_id": "c-1", "ts": 1, "feedback": {"thumb": "down"}})


def test_the_schema_refuses_what_the_decoder_refuses() -> None:
    assert not SCHEMA.is_valid(a_record(messages=[a_message("assistant", "hi")]))
    assert not SCHEMA.is_valid(a_record(messages=[a_message("robot", "42"), a_message()]))
    assert not SCHEMA.is_valid({"conversation_id": "c-1", "ts": 1, "feedback": {}})


def takes(record: dict[str, JSON]) -> bool:
    try:
        decode(as_bytes(record), limits=LimitsSection(), received_at=NOW)
    except NoConversation:
        return True
    except BadRecord:
        return False
    return True


@settings(max_examples=400, deadline=None)
@given(records)
def test_the_decoder_takes_what_the_schema_accepts(record: dict[str, JSON]) -> None:
    valid = SCHEMA.is_valid(record)
    event("valid" if valid else "not valid")

    assert takes(record) or not valid


@settings(deadline=None)
@given(
    records,
    st.sampled_from(
        ["conversation_id", "ts", "messages", "feedback", "metadata", "request", "response", "user_id"]
    ),
    junk,
)
def test_junk_in_any_field_raises_nothing_but_bad_record(
    record: dict[str, JSON], key: str, value: JSON
) -> None:
    with contextlib.suppress(BadRecord):
        decode(as_bytes(record | {key: value}), limits=LimitsSection(), received_at=NOW)
