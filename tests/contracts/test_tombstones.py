"""Tombstones of a compacted topic erase conversations with their batch, once, on both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Engine, event

from daemon.domain.halts import Halt, HaltKind, OffsetChange
from daemon.domain.records import Coordinates
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.counts import LedgerCounts
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.erasures import ErasureLedger, Subject
from daemon.ledger.halts import HaltLedger
from daemon.ledger.intake import IntakeLedger
from tests.factories.ledger import (
    NOW,
    TOPIC,
    a_batch,
    a_conversation,
    a_dead_letter,
    a_feedback,
    a_tombstone,
    some_conversations,
)
from tests.support.faults import Fault, watched


@pytest.fixture
def intake(engine: Engine) -> IntakeLedger:
    return IntakeLedger(engine, window_size=20)


def stored(engine: Engine) -> list[str]:
    found = ConversationLedger(engine).between(SeqRange(first=1, last=9999))
    return [conversation.conversation_id for conversation in found]


def removed(engine: Engine) -> list[object]:
    """How many conversations each entry of the log says were erased; the log is intact."""
    log = ErasureLedger(engine)
    log.verify()
    return [entry.removed["conversations"] for entry in log.log()]


def test_what_is_in_the_ledger_of_a_conversation_is_erased(intake: IntakeLedger, engine: Engine) -> None:
    naming = replace(a_dead_letter(3), value=b'{"id": "c1"')
    intake.record(a_batch(some_conversations(0, 3), feedback=[a_feedback(4, "c1")], dead_letters=[naming]))

    result = intake.record(a_batch(tombstones=[a_tombstone(5, "c1")]))

    [entry] = ErasureLedger(engine).log()
    counts = [entry.removed[kind] for kind in ("conversations", "feedback", "dead_letters")]
    assert (result.erasures, counts) == (1, [1, 1, 1])
    assert (entry.kind, entry.subject, entry.at) == ("conversation", "hash of c1", NOW)
    assert (entry.by, entry.why) == ("tombstone", f"the topic holds a tombstone at {TOPIC}/0@5")
    assert stored(engine) == ["c0", "c2"]
    assert LedgerCounts(engine).intake().feedback == 0
    assert intake.next_offsets() == {(TOPIC, 0): 6}


def test_nothing_of_its_own_batch_is_kept_before_the_tombstone_or_after(
    intake: IntakeLedger, engine: Engine
) -> None:
    before, after = a_conversation(0, name="same"), a_conversation(3, name="same")
    naming = replace(a_dead_letter(1), value=b'{"id": "same"')

    result = intake.record(
        a_batch(
            [before, after, a_conversation(4)], dead_letters=[naming], tombstones=[a_tombstone(2, "same")]
        )
    )

    assert (result.conversations, result.forgotten, result.erasures) == (1, 2, 1)
    assert stored(engine) == ["c4"]
    assert DeadLetterLedger(engine).newest(9) == []


def test_a_conversation_that_comes_after_its_tombstone_is_dropped(
    intake: IntakeLedger, engine: Engine
) -> None:
    intake.record(a_batch(tombstones=[a_tombstone(0, "c1"), a_tombstone(1, "never came")]))

    result = intake.record(a_batch([replace(a_conversation(2, name="c1")), a_conversation(3)]))

    assert (result.forgotten, result.conversations) == (1, 1)
    assert removed(engine) == [0, 0]


def test_a_tombstone_delivered_again_erases_once(intake: IntakeLedger, engine: Engine) -> None:
    intake.record(a_batch([a_conversation(0)]))
    batch = a_batch(tombstones=[a_tombstone(1, "c0")])
    intake.record(batch)

    assert intake.record(batch).erasures == 0
    assert IntakeLedger(engine, window_size=20).record(batch).erasures == 0
    assert removed(engine) == [1]


def test_tombstones_that_are_read_from_the_start_again_add_no_entries(
    intake: IntakeLedger, engine: Engine
) -> None:
    batch = a_batch([a_conversation(0)], tombstones=[a_tombstone(1, "c0"), a_tombstone(2, "c9")])
    intake.record(batch)
    back = OffsetChange(topic=TOPIC, partition=0, before=3, after=0, at=NOW, by="ada", why="again")
    HaltLedger(engine).halt(Halt(kind=HaltKind.OPERATOR, reason="again", at=NOW))
    HaltLedger(engine).reset([back], topic_id=None)

    assert intake.record(batch).erasures == 0
    assert stored(engine) == []
    assert removed(engine) == [0, 0]


def test_what_has_come_since_the_first_tombstone_is_erased_by_the_next(
    intake: IntakeLedger, engine: Engine
) -> None:
    intake.record(a_batch(tombstones=[a_tombstone(0, "c1")]))
    intake.record(a_batch(dead_letters=[replace(a_dead_letter(1), value=b'{"id": "c1"')]))

    result = intake.record(a_batch(tombstones=[a_tombstone(2, "c1"), a_tombstone(3, "c1")]))

    assert result.erasures == 1
    assert [entry.removed["dead_letters"] for entry in ErasureLedger(engine).log()] == [0, 1]


def test_a_conversation_that_was_forgotten_by_command_gets_no_second_entry(
    intake: IntakeLedger, engine: Engine
) -> None:
    intake.record(a_batch([a_conversation(0)]))
    subject = Subject(kind="conversation", id="c0", hash="hash of c0")
    ErasureLedger(engine).erase(subject, by="ada", why="asked", now=NOW)

    assert intake.record(a_batch(tombstones=[a_tombstone(1, "c0")])).erasures == 0


@pytest.mark.parametrize(("moment", "after_the_fault"), [("before", []), ("after", [1])])
def test_the_erasure_and_the_offset_are_written_together(
    intake: IntakeLedger, engine: Engine, moment: str, after_the_fault: list[object]
) -> None:
    intake.record(a_batch([a_conversation(0)]))
    batch = a_batch([a_conversation(1)], tombstones=[a_tombstone(2, "c0")])

    with pytest.raises(OSError, match="EIO"), watched(Fault("intake", moment, "EIO")):
        intake.record(batch)

    assert removed(engine) == after_the_fault
    assert intake.next_offsets() == {(TOPIC, 0): 3 if after_the_fault else 1}
    intake.record(batch)
    assert (stored(engine), removed(engine)) == (["c1"], [1])


def test_a_batch_that_is_refused_erases_nothing(intake: IntakeLedger, engine: Engine) -> None:
    with pytest.raises(Exception, match=r"(?i)not.null"):
        intake.record(
            a_batch([replace(a_conversation(0), group=None)], tombstones=[a_tombstone(1, "c1")])  # type: ignore[arg-type]
        )

    assert removed(engine) == []
    assert intake.record(a_batch([a_conversation(0, name="c1")])).conversations == 1


def test_dead_letters_that_were_published_are_named(intake: IntakeLedger, engine: Engine) -> None:
    naming = replace(a_dead_letter(0), value=b"c1 and c2")
    intake.record(a_batch(dead_letters=[naming]))
    letters = DeadLetterLedger(engine)
    letters.mark_published([stored.id for stored in letters.unpublished(9)], NOW)

    result = intake.record(a_batch(tombstones=[a_tombstone(n, f"c{n}") for n in (1, 2)]))

    assert result.published == (Coordinates(topic=TOPIC, partition=0, offset=0),)
    assert [entry.removed["dead_letters"] for entry in ErasureLedger(engine).log()] == [1, 0]


@pytest.mark.parametrize("name", ["张三", "@@", "a b", "ada@example.org", "x/y"])
def test_dead_letters_are_found_by_any_of_many_ids(intake: IntakeLedger, engine: Engine, name: str) -> None:
    letters = [
        replace(a_dead_letter(0), value=f'{{"id": "{name}"'.encode()),
        replace(a_dead_letter(1), value=f'{{"id": "{name}2"'.encode()),
    ]
    intake.record(a_batch(dead_letters=letters))

    many = [a_tombstone(2 + n, f"other-{n}") for n in range(50)]
    intake.record(a_batch(tombstones=[*many, a_tombstone(52, name)]))

    assert [kept.letter.at.offset for kept in DeadLetterLedger(engine).newest(9)] == [1]
    assert [entry.removed["dead_letters"] for entry in ErasureLedger(engine).log()] == [0] * 50 + [1]


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_the_number_of_statements_does_not_grow_with_that_of_tombstones(
    intake: IntakeLedger, engine: Engine
) -> None:
    intake.record(a_batch(some_conversations(0, 200), tombstones=[a_tombstone(200, "c0")]))
    counts = []
    for first, names in ((300, range(1, 3)), (400, range(3, 90))):
        with statements(engine) as seen:
            intake.record(a_batch(tombstones=[a_tombstone(first + n, f"c{n}") for n in names]))
        counts.append(len(seen))

    assert counts[0] == counts[1]
    assert removed(engine) == [0] + [1] * 89
