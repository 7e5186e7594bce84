"""The whole daemon killed at random moments under load. `make soak` does it 500 times."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from daemon.domain.windows import SeqRange
from daemon.intake.replay import encode_record
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.database import connect, reader
from tests.e2e.daemon_process import DaemonProcess
from tests.e2e.regimes import small_talk
from tests.e2e.stream import Stream
from tests.e2e.test_closed_loop import a_daemon
from tests.servers.brokers import Broker
from tests.support.helpers import eventually

CYCLES = int(os.environ.get("RETUNED_TEST_KILL_CYCLES", "20"))
EACH = 30  # conversations sent in a cycle
_SOON_S = 1.5

pytestmark = pytest.mark.timeout(120 + 20 * CYCLES)


@pytest.fixture
def stream(broker: Broker) -> Stream:
    return Stream(broker, f"kill-{time.monotonic_ns()}")


@pytest.fixture
def daemon(stream: Stream, broker: Broker, tiny_model: Path, tmp_path: Path) -> Iterator[DaemonProcess]:
    with a_daemon(stream, broker, tiny_model, tmp_path) as running:
        yield running


class Ledger:
    """Looks at the daemon's ledger from outside."""

    def __init__(self, state_dir: Path) -> None:
        self._engine = connect(f"sqlite:///{state_dir / 'ledger.db'}")
        self._talks = ConversationLedger(self._engine)

    def count(self) -> int:
        return self._talks.last_seq()

    def ids(self) -> list[str]:
        return [
            conversation.conversation_id
            for conversation in self._talks.between(SeqRange(first=1, last=10**9))
        ]

    def integrity(self) -> str:
        with reader(self._engine).connect() as connection:
            return str(connection.exec_driver_sql("PRAGMA integrity_check").scalar())

    def windows(self) -> list[tuple[int, int]]:
        with reader(self._engine).connect() as connection:
            rows = connection.exec_driver_sql("SELECT first_seq, last_seq FROM windows ORDER BY number")
            return [(first, last) for first, last in rows]

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture
def ledger(daemon: DaemonProcess, tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "state")
    yield opened
    opened.close()


def at_some_moment(daemon: DaemonProcess, within_s: float, chance: random.Random) -> None:
    """Kill it after a while."""
    try:
        status = daemon.process.wait(chance.uniform(0, within_s))
    except subprocess.TimeoutExpired:
        daemon.kill()
    else:
        pytest.fail(f"the daemon ended by itself with {status}")


def test_no_record_is_lost_or_counted_twice(
    daemon: DaemonProcess, stream: Stream, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(CYCLES)
    conversations = list(small_talk(CYCLES * EACH, seed=4))
    recoveries = []
    daemon.kill()
    for cycle in range(CYCLES):
        before = ledger.count()
        stream.send(*(encode_record(conversation) for conversation in conversations[cycle * EACH :][:EACH]))
        started = time.monotonic()
        daemon.launch()
        if cycle % 2:  # killed at once, or in the middle of whatever it does after its first batch
            eventually(lambda before=before: ledger.count() > before, deadline_s=60)  # type: ignore[misc]
            recoveries.append(time.monotonic() - started)
        at_some_moment(daemon, _SOON_S, chance)
        assert ledger.integrity() == "ok"

    daemon.start()
    eventually(lambda: ledger.count() >= len(conversations), deadline_s=60)

    assert daemon.stop() == 0
    assert sorted(ledger.ids()) == sorted(conversation.conversation_id for conversation in conversations)
    spans = ledger.windows()
    assert all(later[0] == earlier[1] + 1 for earlier, later in pairwise(spans))
    ordered = sorted(recoveries)
    with capsys.disabled():
        sys.stdout.write(
            f"\nrecovery after kill -9, start to first new batch: median {ordered[len(ordered) // 2]:.2f} s, "
            f"{ordered[0]:.2f} to {ordered[-1]:.2f} s over {len(ordered)} restarts\n"
        )
