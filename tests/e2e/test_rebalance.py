"""Two replicas under load; members that freeze, come back late, or die."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.intake import IntakeLedger
from tests.e2e.daemon_process import DaemonProcess
from tests.e2e.load import Load
from tests.e2e.replica_set import SIZE, a_replica
from tests.e2e.stream import Stream
from tests.servers.brokers import Broker
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(240)

PARTITIONS = 2
FURTHER = 30  # records
_LOOKS = 60


@pytest.fixture
def stream(broker: Broker) -> Stream:
    return Stream(broker, f"rebalance-{time.monotonic_ns()}", partitions=PARTITIONS)


@pytest.fixture
def replicas(
    stream: Stream, broker: Broker, tiny_model: Path, tmp_path: Path, ledger: str
) -> Iterator[list[DaemonProcess]]:
    key = tmp_path / "holdout.key"
    key.write_text("k" * 32)
    with ExitStack() as running:
        yield [
            running.enter_context(a_replica(number, stream, broker, tiny_model, tmp_path, ledger, key))
            for number in range(2)
        ]


def freeze(replica: DaemonProcess, engine: Engine) -> None:
    """Stop it between two transactions.

    One that is stopped inside a transaction is in the server's hands: its session is ended after ten seconds, and it ends
    itself when it wakes. tests/integration/test_rebalance.py freezes a member with records in its hands.
    """
    process = psutil.Process(replica.process.pid)
    for _ in range(100):
        process.suspend()
        eventually(lambda: process.status() == psutil.STATUS_STOPPED)
        looks = [in_transactions(engine) for _ in range(_LOOKS)]  # the other's transactions are short
        if looks.count(False) > _LOOKS // 2:
            return
        process.resume()
        eventually(lambda: not in_transactions(engine))  # it runs until it has left this transaction
    pytest.fail("it is in a transaction whenever one looks")


def in_transactions(engine: Engine) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    with engine.connect() as connection:
        return bool(connection.exec_driver_sql(query).scalar())


def all_further(before: dict[tuple[str, int], int], now: dict[tuple[str, int], int]) -> bool:
    return len(now) == PARTITIONS and all(now[part] >= before.get(part, 0) + FURTHER for part in now)


def test_frozen_and_killed_members_count_nothing_twice_and_leave_no_gap(
    replicas: list[DaemonProcess], stream: Stream, engine: Engine
) -> None:
    one, two = replicas
    conversations, intake = ConversationLedger(engine), IntakeLedger(engine, window_size=SIZE)

    def goes_on() -> None:
        """In both partitions."""
        before = intake.next_offsets()
        eventually(lambda: all_further(before, intake.next_offsets()), deadline_s=60)

    load = Load(stream)
    try:
        goes_on()
        for frozen in (one, two):
            freeze(frozen, engine)
            goes_on()  # whatever it held: the other has its partitions, and reads them on
            psutil.Process(frozen.process.pid).resume()
            eventually(frozen.ready, deadline_s=30)
            goes_on()
        one.kill()
        goes_on()
    finally:
        load.stop()

    eventually(lambda: conversations.last_seq() >= len(load.names), deadline_s=60)
    assert two.stop() == 0
    found = conversations.between(SeqRange(first=1, last=10**9))
    assert Counter(conversation.conversation_id for conversation in found) == Counter(load.names)
