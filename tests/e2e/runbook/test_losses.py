"""Procedures of the runbook after something was lost: a node, the broker, the bucket."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.demo.broker import LocalBroker
from tests.e2e.runbook.conftest import write_log
from tests.e2e.runbook.site import Site
from tests.e2e.runbook.steps import covers
from tests.servers.postgres_server import PostgresServer
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(900)
#: Talks that were counted before, and those that are sent in a test.
BEFORE, MORE = 200, 30


@pytest.fixture
def ledger(server: PostgresServer) -> Iterator[str]:
    with server.database() as url:
        yield url


@pytest.fixture
def own_tansu() -> Iterator[LocalBroker]:
    """A broker that the test may kill; it comes back empty at the same address."""
    with LocalBroker() as running:
        yield running


@covers("Move from embedded to replicated")
@covers("Lose a node", 0)
def test_move_to_replicas_and_lose_the_leader(
    running: Site, ledger: str, tansu: LocalBroker, tiny_model: Path, tmp_path: Path
) -> None:
    """tests/e2e/test_replicas.py and tests/integration/test_static_member.py follow the partitions of a lost replica."""
    before = running.looks("history")["entries"]
    running.exports(LEDGER=ledger)

    running.follows("Move from embedded to replicated")

    assert running.looks("history")["entries"] == before
    assert running.counted() >= BEFORE  # other tests send to the topic, too
    with Site(tmp_path / "b", broker=tansu.bootstrap, model=tiny_model) as other:
        shutil.copy(running.folder / "etc" / "retuned.yaml", other.folder / "etc")
        other.exports(RETUNED_STATE_DIR=str(other.state))
        other.types("systemctl start retuned")
        other.await_ready()
        assert (running.total("retuned_leader"), other.total("retuned_leader")) == (1, 0)

        running.kill()

        eventually(lambda: other.total("retuned_leader") == 1, deadline_s=120)
        assert "chat-v1" in other.follows("Lose a node", 0)
        other.types("systemctl stop retuned")


@covers("Lose a node", 1)
def test_lose_the_only_node(running: Site) -> None:
    running.kill()
    shutil.rmtree(running.state)

    running.follows("Lose a node", 1)

    assert running.live() == "chat-v1"
    assert running.counted() >= BEFORE  # other tests send to the topic, too
    running.types("systemctl stop retuned")


@covers("Lose the broker")
def test_lose_the_broker_with_its_topics(own_tansu: LocalBroker, tiny_model: Path, tmp_path: Path) -> None:
    with Site(tmp_path / "site", broker=own_tansu.bootstrap, model=tiny_model) as site:
        site.follows("Install")
        write_log(site.folder / "backups" / "some.jsonl", MORE)
        site.types("retuned replay /backups/some.jsonl --rate 500")
        eventually(lambda: site.total("retuned_conversations_total") == MORE, deadline_s=120)

        own_tansu.kill()
        eventually(lambda: not site.ready(), deadline_s=120)
        site.get("/livez")
        assert "broker" in site.follows("Lose the broker", 0, faults=["retuned doctor"])

        own_tansu.start()
        site.follows("Lose the broker", 1, faults=["retuned doctor"])
        eventually(lambda: site.total("retuned_intake_halted") == 1, deadline_s=120)
        assert "the topic was recreated" in site.follows("Lose the broker", 2)

        write_log(site.folder / "backups" / "more.jsonl", MORE, first=MORE)
        site.types("retuned replay /backups/more.jsonl --rate 500")
        eventually(lambda: site.counted() == 2 * MORE, deadline_s=120)
        site.types("systemctl stop retuned")


@covers("Lose the bucket")
def test_lose_the_bucket(running: Site) -> None:
    """What is served and read goes on; a backup brings it back; without one, the base serves."""
    shutil.rmtree(running.state / "artifacts")
    write_log(running.folder / "backups" / "more.jsonl", MORE, first=BEFORE)
    running.types("retuned replay /backups/more.jsonl --rate 500")
    eventually(lambda: running.counted() >= BEFORE + MORE, deadline_s=120)

    said = running.follows("Lose the bucket", 0, faults=["retuned doctor"])
    assert "artifact of chat-v1" in said
    running.follows("Lose the bucket", 1)
    assert running.live() == "chat-v1"

    shutil.rmtree(running.state / "artifacts")
    running.follows("Lose the bucket", 2)
    assert running.live() == "chat-v0"
    running.types("systemctl stop retuned")
