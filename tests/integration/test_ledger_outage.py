"""A daemon's loop over a PostgreSQL server that restarts: nothing ends, nothing is lost or counted twice."""

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

import pytest
from sqlalchemy import func, select

from daemon.config.settings import Settings
from daemon.domain.clock import utc_now
from daemon.domain.errors import LedgerLost
from daemon.domain.process_identity import ProcessIdentity
from daemon.domain.streams import RawRecord
from daemon.http.health import Component, Health
from daemon.intake.replay import encode_record
from daemon.intake.router import Router
from daemon.intake.stage import IntakeStage
from daemon.ledger.counts import LedgerCounts
from daemon.ledger.database import reader
from daemon.ledger.lease import Lease
from daemon.ledger.ledger_id import LedgerId
from daemon.ledger.stores import open_stores
from daemon.ledger.tables import conversations
from daemon.runtime.build import _ledger_offsets
from daemon.runtime.leadership import LeaderRuntime, LeadershipStage
from daemon.runtime.ledger_outage import LedgerOutage
from daemon.runtime.loop import Loop
from daemon.runtime.problems import Problems
from daemon.telemetry.metrics import Metrics
from tests.e2e.regimes import small_talk
from tests.factories.stores import some_settings
from tests.fakes.kafka import FakeBroker, FakeSource
from tests.servers.postgres_server import PostgresServer, running_postgres
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(120)

TALKS = [encode_record(conversation) for conversation in small_talk(300, seed=5)]


class SlowSource(FakeSource):
    """Brings few records at a time, so that a restart falls between two batches or into one."""

    def poll(self, timeout_s: float, max_records: int | None = None) -> list[RawRecord]:
        time.sleep(0.01)
        return super().poll(timeout_s, 5)


class Replica:
    """The stages that write in every turn, in the daemon's own loop on a thread."""

    def __init__(self, settings: Settings) -> None:
        self.broker, self.metrics, self.stop = FakeBroker(), Metrics(), Event()
        self.stores = open_stores(settings)
        self.health = Health(clock=time.monotonic, components=(Component.LEDGER,))
        self.tokens: list[int] = []
        self.error: BaseException | None = None
        ledger = LedgerId(self.stores.engine)
        ledger.note_opened()
        source = SlowSource(self.broker, "conversations", start_offsets=_ledger_offsets(self.stores.intake))
        intake = IntakeStage(
            source, self.stores, Router(settings, self.stores.holdout), metrics=self.metrics, clock=utc_now,
            poll_s=0.01, wait=self.stop.wait,
        )  # fmt: skip
        lease = Lease(self.stores.engine, ProcessIdentity.this_process(), ttl_s=15, clock=time.monotonic)
        leadership = LeadershipStage(lease, self.lead, metrics=self.metrics)
        outage = LedgerOutage(
            Problems(self.health, self.metrics), reset=(leadership.reset, intake.reset), probe=ledger.check,
            clock=time.monotonic, wait=self.stop.wait,
        )  # fmt: skip
        self.loop = Loop(
            [intake, leadership], stop=self.stop, beat=self.health.beat, reload=lambda: None, outage=outage, metrics=self.metrics,
            close_within_s=5,
        )  # fmt: skip
        self.thread = Thread(target=self.run)

    def run(self) -> None:
        try:
            self.loop.run()
        except LedgerLost as error:
            self.error = error

    def lead(self, token: int) -> LeaderRuntime:
        self.tokens.append(token)
        return LeaderRuntime(stages=())

    def send(self, *talks: bytes) -> None:
        for talk in talks:
            self.broker.append("conversations", None, talk)

    def counted(self) -> int:
        return LedgerCounts(self.stores.engine).intake().conversations

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        self.thread.join(30)
        self.stores.engine.dispose()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of this module's own, as it is stopped and started."""
    with running_postgres() as running:
        yield running


@pytest.fixture
def settings(server: PostgresServer, tmp_path: Path) -> Iterator[Settings]:
    key = tmp_path / "holdout.key"
    key.write_text("k" * 32)
    key.chmod(0o600)
    with server.database() as url:
        yield some_settings(
            tmp_path,
            ledger_url=url,
            artifacts_url=(tmp_path / "artifacts").as_uri(),
            holdout={"key_file": key},
        )


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_restart_is_waited_out_and_each_record_is_counted_once(
    server: PostgresServer, settings: Settings, how: str
) -> None:
    with Replica(settings) as replica:
        replica.send(*TALKS[:200])
        eventually(lambda: replica.tokens == [1] and replica.counted() >= 30, deadline_s=20)
        server.say("CHECKPOINT")  # this server flushes nothing by itself

        server.stop(how)
        eventually(lambda: not replica.health.ready().ok, deadline_s=20)
        assert "check that its server runs" in str(replica.health.ready().body)
        replica.send(*TALKS[200:])
        time.sleep(1.5)
        assert replica.thread.is_alive()
        assert replica.health.live().ok
        server.start()

        eventually(lambda: replica.health.ready().ok and replica.counted() == 300, deadline_s=30)
        eventually(lambda: replica.tokens == [1, 2], deadline_s=5)
        with reader(replica.stores.engine).begin() as connection:
            distinct = connection.scalar(select(func.count(conversations.c.conversation_id.distinct())))
        assert distinct == 300

    assert replica.error is None


def test_another_database_in_its_place_ends_the_daemon(server: PostgresServer, settings: Settings) -> None:
    with Replica(settings) as replica:
        replica.send(*TALKS[:20])
        eventually(lambda: replica.counted() == 20, deadline_s=20)
        name = replica.stores.engine.url.database

        server.say(f"DROP DATABASE {name} WITH (FORCE)")
        eventually(lambda: not replica.health.ready().ok, deadline_s=20)
        server.say(f"CREATE DATABASE {name}")
        replica.thread.join(30)

    assert isinstance(replica.error, LedgerLost)
    assert not replica.health.ready().ok
