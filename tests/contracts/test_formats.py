"""Every log format gives the same conversation, loses no id, and refuses by name."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config.settings import IntakeSection, KafkaSection, LimitsSection
from daemon.domain.bad_record import Absence, BadRecord, NoConversation
from daemon.domain.conversation import Conversation, Message
from daemon.intake.decoding import decode_document
from daemon.intake.formats.reading import Reading
from daemon.intake.formats.registry import AUTO, FORMATS, format_of, formats_for
from tests.factories.formats import ADDED, PLAIN, TOOL, TS, WITH_TOOLS, WRITTEN, Written
from tests.factories.intake import NOW

EACH = pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())


def decoded(record: dict[str, Any], *, media: str = "placeholder") -> Conversation:
    intake = IntakeSection.model_validate({"media": media})
    reading = Reading(limits=LimitsSection(), received_at=NOW, intake=intake)
    found = [one for one in decode_document(record, reading) if isinstance(one, Conversation)]
    assert len(found) == 1
    return found[0]


def refused(record: dict[str, Any]) -> BadRecord:
    with pytest.raises(BadRecord) as bad:
        decoded(record)
    return bad.value


def without_targets(turns: Sequence[Message]) -> list[Message]:
    return [replace(turn, learned=True) for turn in turns]


@EACH
def test_a_record_is_recognised_by_its_shape_as_one_format(written: Written) -> None:
    record = written.write(PLAIN)

    assert format_of(record, FORMATS).name == written.format
    assert [one.name for one in formats_for(written.format, IntakeSection())] == [written.format, "feedback"]
    assert format_of(record, formats_for(written.format, IntakeSection())).name == written.format


@EACH
def test_the_same_conversation_gives_the_same_turns(written: Written) -> None:
    assert decoded(written.write(PLAIN)).messages == PLAIN


@pytest.mark.parametrize(
    "written", [pytest.param(one, id=name) for name, one in WRITTEN.items() if one.has_tools]
)
def test_calls_results_and_definitions_of_tools_are_read(written: Written) -> None:
    found = decoded(written.write(WITH_TOOLS))

    assert without_targets(found.messages) == list(WITH_TOOLS)
    assert found.tools == (TOOL,)


@EACH
def test_who_when_and_which_chat_are_kept(written: Written) -> None:
    found = decoded(written.write(PLAIN))

    assert (found.conversation_id, found.user_id, found.session_id) == ("a-1", "u-1", "s-1")
    assert found.model_version == "bot-v2"
    assert abs(found.at - datetime.fromtimestamp(TS, UTC)).total_seconds() < 2


@EACH
def test_tenant_consent_and_unknown_fields_are_metadata(written: Written) -> None:
    metadata = decoded(written.write(PLAIN)).metadata

    assert {name: metadata.get(name) for name in ADDED} == ADDED


@EACH
def test_what_is_no_text_is_refused_by_format_and_field(written: Written) -> None:
    broken = replace(PLAIN[1], content={"type": 7})  # type: ignore[arg-type]
    bad = refused(written.write((PLAIN[0], broken, PLAIN[2])))

    assert not isinstance(bad, NoConversation)
    assert bad.format == written.format
    assert bad.field
    assert f"(read as {written.format})" in str(bad)


@EACH
def test_a_gateways_placeholder_is_no_conversation(written: Written) -> None:
    hidden = tuple(replace(turn, content="redacted-by-litellm") for turn in PLAIN)
    none = refused(written.write(hidden))

    assert isinstance(none, NoConversation)
    assert none.kind is Absence.REDACTED


#: Formats whose records may hold one message of the session that they name.
_JOIN = frozenset({"native", "rows", "preferences"})


@EACH
def test_an_answer_that_says_nothing_is_no_conversation(written: Written) -> None:
    record = written.write((*PLAIN[:2], replace(PLAIN[2], content="")))

    if written.format in _JOIN:
        assert decoded(record).messages == PLAIN[:2]
        return
    none = refused(record)
    assert isinstance(none, NoConversation)
    assert none.kind is Absence.NO_ANSWER


junk = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(
    ["", "x", "\0", "[", "{", '{"a": 1}', "data: {}", [], {}, [[]], [{}], {"type": "text"}, {"role": 1}, 1e300, -1]
)  # fmt: skip


def changed(value: Any, path: Sequence[int], new: Any) -> Any:
    """Return a value with something else at a path of positions; texts of JSON are opened."""
    if isinstance(value, str) and len(value) > 9 and value[:1] in ("{", "["):
        return orjson.dumps(changed(orjson.loads(value), path, new)).decode()
    if not path or not isinstance(value, dict | list) or not value:
        return new
    keys: Sequence[Any] = list(value) if isinstance(value, dict) else range(len(value))
    key = keys[path[0] % len(keys)]
    inner = changed(value[key], path[1:], new)
    if isinstance(value, dict):
        return {**value, key: inner}
    return [inner if index == key else one for index, one in enumerate(value)]


@EACH
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_nothing_but_bad_record_is_raised(written: Written, data: st.DataObject) -> None:
    record: Any = written.write(WITH_TOOLS if written.has_tools else PLAIN)
    for _ in range(data.draw(st.integers(1, 3))):
        record = changed(record, data.draw(st.lists(st.integers(0, 30), max_size=9)), data.draw(junk))
    reading = Reading(limits=LimitsSection(), received_at=NOW, recorded_at=NOW)
    with contextlib.suppress(BadRecord):
        for found in decode_document(record if isinstance(record, dict) else {}, reading):
            assert orjson.dumps(found.metadata)
            if isinstance(found, Conversation):
                assert orjson.dumps([found.tools, found.documents])
                assert {turn.role for turn in found.messages} >= {"user", "assistant"} or found.session_id


@pytest.mark.parametrize("depth", [100, 300, 900])
@EACH
def test_deep_nesting_is_refused_or_left_out(written: Written, depth: int) -> None:
    deep: Any = "x"
    for _ in range(depth):
        deep = [{"type": "thinking", "thinking": deep}]
    turns = (*PLAIN[:2], replace(PLAIN[2], content=deep))
    with contextlib.suppress(BadRecord, orjson.JSONEncodeError):  # some formats are written as JSON in a text
        decoded(written.write(turns))


def test_the_setting_names_every_format() -> None:
    named = get_args(KafkaSection.model_fields["format"].annotation)

    assert set(named) == {AUTO, "fields", *(one.name for one in FORMATS)} - {"feedback"}
