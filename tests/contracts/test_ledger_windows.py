from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import Connection, Engine, event, select

from daemon.domain.records import Batch, Coordinates
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.database import connect
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.tables import windows as table
from daemon.ledger.windows import VerdictRow, WindowLedger
from tests.factories.ledger import NOW, TOPIC, a_batch, a_conversation, some_conversations


@pytest.fixture
def references(engine: Engine) -> ReferenceLedger:
    references = ReferenceLedger(engine)
    references.start("chat-v0", size=10, after_seq=0, now=NOW)
    return references


@pytest.fixture
def windows(engine: Engine, references: ReferenceLedger) -> WindowLedger:
    return WindowLedger(engine)


def read(engine: Engine, first: int, count: int) -> None:
    IntakeLedger(engine, window_size=20).record(a_batch(some_conversations(first, count)))


def judge_next(windows: WindowLedger, finding: str) -> int:
    window, reference = windows.next_to_judge(), windows.reference()
    assert window is not None
    assert reference is not None
    row = VerdictRow(
        window=window.number, monitor="e_detector", finding=finding, score=float("nan"), threshold=0.1, reason=f"it is {finding}",
        numbers={"p": 0.5, "bad": float("inf")}, triggers=True,
    )  # fmt: skip
    windows.record_judgement(
        window, [row], finding=finding, reference_id=reference.id, explanation={"words": ["天气"]}, now=NOW
    )
    return window.number


def test_windows_are_judged_in_order_and_once(engine: Engine, windows: WindowLedger) -> None:
    read(engine, 0, 50)

    assert [judge_next(windows, "stable"), judge_next(windows, "drift")] == [1, 2]
    assert windows.next_to_judge() is None
    assert [found.finding for found in windows.judged(limit=5)] == ["drift", "stable"]
    assert [found.window.number for found in windows.judged(limit=5, drift_only=True)] == [2]


def test_numbers_that_json_lacks_are_left_out(engine: Engine, windows: WindowLedger) -> None:
    read(engine, 0, 30)
    judge_next(windows, "stable")

    found = windows.window(1)

    assert found is not None
    assert found.verdicts[0].score is None
    assert found.verdicts[0].numbers == {"p": 0.5}
    assert found.explanation == {"words": ["天气"]}


def test_the_alarm_names_where_the_change_began(engine: Engine, windows: WindowLedger) -> None:
    read(engine, 0, 90)
    for finding in ("stable", "drift", "drift"):
        judge_next(windows, finding)

    alarm = windows.alarm(after_seq=0)

    assert alarm is not None
    assert (alarm.window, alarm.first_seq, alarm.reason) == (2, 31, "it is drift")


def test_drift_that_a_training_has_seen_is_no_alarm(engine: Engine, windows: WindowLedger) -> None:
    read(engine, 0, 50)
    judge_next(windows, "drift")

    assert windows.alarm(after_seq=30) is None


def test_a_new_reference_ends_the_alarm(
    engine: Engine, references: ReferenceLedger, windows: WindowLedger
) -> None:
    read(engine, 0, 50)
    judge_next(windows, "drift")

    references.start("chat-v1", size=10, after_seq=10, now=NOW)

    assert windows.alarm(after_seq=0) is None


def test_a_window_closes_early_when_it_waited_too_long(engine: Engine, windows: WindowLedger) -> None:
    read(engine, 0, 22)
    later = NOW + timedelta(seconds=60)

    assert windows.close_aged_window(max_age_s=61, min_size=10, now=later) is None
    assert windows.close_aged_window(max_age_s=60, min_size=13, now=later) is None
    closed = windows.close_aged_window(max_age_s=60, min_size=12, now=later)

    assert closed is not None
    assert closed.range == SeqRange(first=11, last=22)


def test_a_window_that_is_not_due_costs_no_write_transaction(engine: Engine, windows: WindowLedger) -> None:
    read(engine, 0, 22)
    writes: list[bool] = []

    @event.listens_for(engine, "begin")
    def note(connection: Connection) -> None:
        writes.append(not connection.get_execution_options().get("retuned_read", False))

    windows.close_aged_window(max_age_s=60, min_size=13, now=NOW + timedelta(seconds=60))
    assert not any(writes)

    windows.close_aged_window(max_age_s=60, min_size=12, now=NOW + timedelta(seconds=60))
    assert sum(writes) == 1


def partition_batch(partition: int, first: int) -> Batch:
    """Seven conversations of a partition of its own."""
    found = [a_conversation(offset, name=f"p{partition}-{offset}") for offset in range(first, first + 7)]
    moved = [
        replace(new, at=Coordinates(topic=TOPIC, partition=partition, offset=new.at.offset)) for new in found
    ]
    return Batch(conversations=tuple(moved), next_offsets={(TOPIC, partition): first + 7}, received_at=NOW)


def test_replicas_that_read_partitions_at_once_close_windows_without_gap_or_overlap(
    engine: Engine, windows: WindowLedger, database: str
) -> None:
    def read_partition(partition: int) -> None:
        own = connect(database)
        intake = IntakeLedger(own, window_size=20)
        for first in range(0, 140, 7):
            intake.record(partition_batch(partition, first))
            intake.record(partition_batch(partition, first))  # and again, as after a rebalance
        own.dispose()

    with ThreadPoolExecutor(2) as replicas:
        list(replicas.map(read_partition, range(2)))

    with engine.connect() as connection:
        spans = connection.execute(select(table.c.first_seq, table.c.last_seq).order_by(table.c.number)).all()
    conversations = ConversationLedger(engine)
    sizes = [len(conversations.between(SeqRange(first=first, last=last))) for first, last in spans]
    assert sizes == [20] * 13  # of 280, ten are the reference and ten wait
    assert all(later[0] > earlier[1] for earlier, later in pairwise(spans))
    assert conversations.count(held_out=False) == 280
