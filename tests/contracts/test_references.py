"""The references of a model line, on both databases."""

import pytest
from sqlalchemy import Engine

from daemon.facts import SeqRange
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from tests.factories_ledger import NOW, a_batch, talks


@pytest.fixture
def references(engine: Engine) -> ReferenceLedger:
    references = ReferenceLedger(engine)
    references.start("chat-v0", size=10, after_seq=0, now=NOW)
    return references


def read(engine: Engine, first: int, count: int) -> None:
    IntakeLedger(engine, window_size=20).record(a_batch(talks(first, count)))


def test_a_new_reference_takes_the_newest_conversations(engine: Engine, references: ReferenceLedger) -> None:
    read(engine, 0, 50)

    assert references.start("chat-v1", size=10, after_seq=10, now=NOW).range == SeqRange(first=41, last=50)


def test_a_reference_without_enough_conversations_waits_for_them(
    engine: Engine, references: ReferenceLedger
) -> None:
    read(engine, 0, 15)
    assert references.start("chat-v1", size=10, after_seq=10, now=NOW).range is None

    read(engine, 15, 40)

    reference = references.newest()
    assert reference is not None
    assert reference.range == SeqRange(first=11, last=20)


def test_an_earlier_versions_reference_comes_back_with_it(
    engine: Engine, references: ReferenceLedger
) -> None:
    read(engine, 0, 50)
    references.start("chat-v1", size=10, after_seq=10, now=NOW)

    back = references.restore("chat-v0", NOW)

    assert back is not None
    assert (back.version, back.range) == ("chat-v0", SeqRange(first=1, last=10))
    assert references.restore("chat-v9", NOW) is None
