"""One fault against a real daemon under load, and what became of the records."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, distinct, func, select

from daemon.ledger.database import connect, reader
from daemon.ledger.tables import conversations
from tests.e2e.daemon_process import DaemonProcess
from tests.e2e.kafka_faults.acknowledged_load import AcknowledgedLoad
from tests.e2e.kafka_faults.readiness_watch import ReadinessWatch
from tests.e2e.kafka_faults.sizes import RATE
from tests.e2e.stream import Stream
from tests.e2e.test_closed_loop import a_daemon
from tests.servers.brokers import Broker
from tests.support.helpers import eventually

#: Of the daemon, for a load of hundreds of conversations a second: few windows, and no training beside them.
SECTIONS: dict[str, dict[str, Any]] = {
    "kafka": {},  # sessions as long as by default
    "policy": {"on_drift": False},
    "windows": {"size": 2_000, "min_size": 500, "reference_size": 500, "reference_days": 0},
}
#: The key of a test's property that holds its line of the table.
PROPERTY = "kafka fault"
HEADING = f"{'fault':<56}{'sent':>9}{'counted':>9}{'missing':>9}{'twice':>7}{'not ready':>11}"

_FURTHER = 300  # conversations


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of the records that the brokers had acknowledged."""

    sent: int
    counted: int  # in the ledger
    missing: int  # sent, not counted
    twice: int  # counted again
    foreign: int  # counted, never sent or taken back
    not_ready_s: float  # in which /readyz was not 200

    def line(self, fault: str) -> str:
        return f"{fault:<56}{self.sent:>9,}{self.counted:>9,}{self.missing:>9}{self.twice:>7}{self.not_ready_s:>9.1f} s"


class Trial:
    """A daemon that counts what a load writes. A ledger may be shared with further daemons."""

    def __init__(
        self, stream: Stream, daemon: DaemonProcess, engine: Engine, *, load: AcknowledgedLoad
    ) -> None:
        self.stream = stream
        self.daemon = daemon
        self.load = load
        self._reads = reader(engine)
        self._watch = ReadinessWatch(daemon)

    @contextmanager
    def running(self, *, within_s: float = 120) -> Iterator[None]:
        """Write during the block; then wait until everything was counted, at most ``within_s``."""
        with self.watching():
            self.load.start()
            try:
                yield
            finally:
                self.load.stop()
            sent = len(self.load.acknowledged)
            eventually(lambda: self.counted() >= sent and self.daemon.ready(), deadline_s=within_s)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Measure during the block for how long the daemon is not ready."""
        self._watch.start()
        try:
            yield
        finally:
            self._watch.stop()
            sys.stdout.write("\n".join(["/readyz said:", *self._watch.answers, ""]))

    def counted(self) -> int:
        with self._reads.begin() as connection:
            return connection.scalar(select(func.count()).select_from(conversations)) or 0

    def partitions(self) -> int:
        """How many partitions' records were counted."""
        with self._reads.begin() as connection:
            return connection.scalar(select(func.count(distinct(conversations.c.partition)))) or 0

    def goes_on(self, *, further: int = _FURTHER, deadline_s: float = 90) -> None:
        """Wait until more conversations were counted."""
        before = self.counted()
        eventually(lambda: self.counted() >= before + further, deadline_s=deadline_s)

    def conclude(self, fault: str, record: Callable[[str, object], None]) -> Outcome:
        """Compare what was sent with what was counted, and note the line of the table."""
        columns = (conversations.c.conversation_id, conversations.c.record_sha256)
        with self._reads.begin() as connection:
            rows = [(name, digest) for name, digest in connection.execute(select(*columns))]
        sent, counted = set(self.load.acknowledged), {name for name, _ in rows}
        digests = Counter(digest for _, digest in rows)
        outcome = Outcome(
            sent=len(sent),
            counted=len(rows),
            missing=len(sent - counted),
            twice=digests.total() - len(digests),
            foreign=len(counted - sent),
            not_ready_s=self._watch.not_ready_s,
        )
        record(PROPERTY, outcome.line(fault))
        assert (outcome.missing, outcome.twice, outcome.foreign) == (0, 0, 0), outcome
        return outcome


@contextmanager
def a_trial(
    cluster: Broker,
    model: Path,
    folder: Path,
    *,
    topic: str,
    partitions: int = 6,
    kafka: dict[str, Any] | None = None,
    prepare: Callable[[Stream, AcknowledgedLoad], None] = lambda *_: None,
) -> Iterator[Trial]:
    """Start a daemon with a ledger of its own. ``kafka`` are further settings of that section.

    ``prepare`` gets the topics and what writes to them before the daemon starts.
    """
    stream = Stream(cluster, topic, partitions=partitions)
    load = AcknowledgedLoad(stream.settings, rate=RATE)
    prepare(stream, load)
    with a_daemon(stream, cluster, model, folder, **{**SECTIONS, "kafka": kafka or {}}) as daemon:
        engine = connect(f"sqlite:///{folder / 'state' / 'ledger.db'}")
        yield Trial(stream, daemon, engine, load=load)
        assert daemon.stop() == 0
        engine.dispose()
