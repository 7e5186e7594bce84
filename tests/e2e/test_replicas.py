"""Three replicas on one PostgreSQL ledger and one consumer group: all count, one leads."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from daemon.domain.errors import StaleLeader
from daemon.intake.replay import encode_record
from daemon.ledger.counts import LedgerCounts
from daemon.ledger.database import fenced
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.tables import conversations, windows
from daemon.ledger.windows import WindowLedger
from tests.e2e.daemon_process import DaemonProcess
from tests.e2e.regimes import small_talk
from tests.e2e.replica_set import SIZE, a_replica, leaders
from tests.e2e.stream import Stream
from tests.servers.brokers import Broker
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def stream(broker: Broker) -> Stream:
    return Stream(broker, f"replicas-{time.monotonic_ns()}", partitions=3)


@pytest.fixture
def replicas(
    stream: Stream, broker: Broker, tiny_model: Path, tmp_path: Path, ledger: str
) -> Iterator[list[DaemonProcess]]:
    key = tmp_path / "holdout.key"
    key.write_text("k" * 32)
    with ExitStack() as running:
        yield [
            running.enter_context(a_replica(number, stream, broker, tiny_model, tmp_path, ledger, key))
            for number in range(3)
        ]


def test_replicas_count_once_under_one_leader_whatever_becomes_of_them(
    replicas: list[DaemonProcess], stream: Stream, engine: Engine
) -> None:
    talks = [encode_record(conversation) for conversation in small_talk(360, seed=5)]
    stream.send(*talks[:150])
    eventually(lambda: counted(engine) == 150, deadline_s=30)
    [old] = leaders(replicas)
    assert old.metric("retuned_leader_fence") == 1

    old.process.send_signal(signal.SIGSTOP)
    others = [replica for replica in replicas if replica is not old]
    eventually(lambda: leaders(others), deadline_s=20)
    with pytest.raises(StaleLeader):
        DecisionLedger(fenced(engine, 1)).request_training(
            by="the old leader", reason="", now=datetime.now(UTC)
        )
    stream.send(*talks[150:250])
    eventually(lambda: counted(engine) == 250, deadline_s=30)

    old.process.send_signal(signal.SIGCONT)
    eventually(lambda: old.metric("retuned_leader") == 0 and old.ready(), deadline_s=20)
    [new] = leaders(replicas)
    assert old.retuned("status")["overview"]["leader"] == {
        "host": old.retuned("status")["overview"]["leader"]["host"], "pid": new.process.pid, "fence": 2,
    }  # fmt: skip

    [follower] = [replica for replica in others if replica is not new]
    follower.kill()
    stream.send(*talks[250:])
    eventually(lambda: counted(engine) == 360, deadline_s=30)

    assert windows_cover_everything_once(engine)
    assert leaders([old, new]) == [new]
    assert [old.stop(), new.stop()] == [0, 0]


def counted(engine: Engine) -> int:
    return LedgerCounts(engine).intake().conversations


def windows_cover_everything_once(engine: Engine) -> bool:
    """Whether each conversation after the reference is in exactly one window, the newest few in none yet."""
    reference = WindowLedger(engine).reference()
    assert reference is not None
    assert reference.range is not None
    with engine.connect() as connection:
        seqs = connection.scalars(
            select(conversations.c.seq)
            .where(conversations.c.seq > reference.range.last)
            .order_by(conversations.c.seq)
        ).all()
        found = connection.execute(
            select(windows.c.first_seq, windows.c.last_seq).order_by(windows.c.number)
        ).all()
    full = [(seqs[at], seqs[at + SIZE - 1]) for at in range(0, len(seqs) - SIZE + 1, SIZE)]
    return [tuple(row) for row in found] == full and len(full) == (360 - 50) // SIZE
