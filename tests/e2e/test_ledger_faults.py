"""A real daemon whose ledger restarts, moves away or is replaced."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from daemon.demo.broker import LocalBroker
from daemon.intake.replay import encode_record
from daemon.ledger.counts import LedgerCounts
from daemon.ledger.database import connect
from tests.e2e.daemon_process import DaemonProcess
from tests.e2e.regimes import small_talk
from tests.e2e.stream import Stream
from tests.e2e.test_closed_loop import a_daemon
from tests.servers.postgres_server import PostgresServer, running_postgres
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(240)

TALKS = [encode_record(conversation) for conversation in small_talk(200, seed=5)]


@pytest.fixture
def stream(broker: LocalBroker) -> Stream:
    return Stream(broker, f"ledger-{time.monotonic_ns()}")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of this module's own, as it is stopped and started."""
    with running_postgres() as running:
        yield running


def counted(url: str) -> int:
    engine = connect(url)
    try:
        return LedgerCounts(engine).intake().conversations
    finally:
        engine.dispose()


def problem(daemon: DaemonProcess, kind: str) -> float | None:
    return daemon.metric(f'retuned_problem{{kind="{kind}"}}')


def test_a_restart_of_postgresql_is_waited_out(
    stream: Stream, broker: LocalBroker, tiny_model: Path, tmp_path: Path, server: PostgresServer
) -> None:
    key = tmp_path / "shared.key"
    key.write_text("k" * 32)
    with server.database() as url:
        daemon = a_daemon(stream, broker, tiny_model, tmp_path)
        file = tmp_path / "retuned.yaml"
        changes = {
            "ledger_url": url, "artifacts_url": (tmp_path / "artifacts").as_uri(), "holdout": {"key_file": str(key)},
        }  # fmt: skip
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **changes}))
        with daemon:
            stream.send(*TALKS[:100])
            eventually(lambda: counted(url) == 100, deadline_s=30)
            token = daemon.metric("retuned_leader_fence")
            server.say("CHECKPOINT")  # this server flushes nothing by itself

            server.stop()
            try:
                eventually(lambda: problem(daemon, "ledger_unreachable") == 1, deadline_s=20)
                assert not daemon.ready()
                daemon.get("/livez")
                stream.send(*TALKS[100:])
                time.sleep(2)
            finally:
                server.start()

            eventually(lambda: daemon.ready() and counted(url) == 200, deadline_s=60)
            assert problem(daemon, "ledger_unreachable") == 0
            assert daemon.metric("retuned_leader_fence") == (token or 0) + 1
            assert "Traceback" not in daemon.log()
            assert daemon.stop() == 0

            server.stop()
            try:
                daemon.launch()
                eventually(lambda: "waiting for it" in daemon.log().splitlines()[-1], deadline_s=30)
            finally:
                server.start()
            eventually(daemon.ready, deadline_s=60)
            assert daemon.stop() == 0


def another_file(path: Path) -> None:
    path.rename(path.with_suffix(".old"))
    path.write_bytes(path.with_suffix(".old").read_bytes())


@pytest.mark.parametrize(
    "leave", [lambda path: path.rename(path.with_suffix(".old")), another_file], ids=["moved", "replaced"]
)
def test_a_file_that_is_gone_ends_the_daemon_and_put_back_it_goes_on(
    stream: Stream,
    broker: LocalBroker,
    tiny_model: Path,
    tmp_path: Path,
    leave: Callable[[Path], object],
) -> None:
    ledger = tmp_path / "state" / "ledger.db"
    with a_daemon(stream, broker, tiny_model, tmp_path) as daemon:
        stream.send(*TALKS[:100])
        eventually(lambda: counted(f"sqlite:///{ledger}") == 100, deadline_s=30)
        leave(ledger)
        stream.send(*TALKS[100:])

        assert daemon.process.wait(40) == 1
        last = json.loads(daemon.log().splitlines()[-1])
        assert last["level"] == "CRITICAL"
        assert str(ledger) in last["message"]
        assert "Traceback" not in daemon.log()

        ledger.unlink(missing_ok=True)
        daemon.launch()
        assert daemon.process.wait(40) == 1  # a supervisor's restart begins no new ledger
        assert "put that ledger back" in daemon.log().splitlines()[-1]
        assert not ledger.exists()

        ledger.with_suffix(".old").replace(ledger)
        daemon.start()
        eventually(lambda: counted(f"sqlite:///{ledger}") == 200, deadline_s=30)
        assert daemon.stop() == 0
