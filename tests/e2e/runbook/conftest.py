"""An installation that has learned once, in the state that each procedure begins with."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from daemon.demo.broker import LocalBroker
from tests.e2e.regimes import small_talk
from tests.e2e.runbook.site import Site, copied
from tests.servers.postgres_server import PostgresServer, running_postgres
from tests.support.helpers import eventually, required_program

TALKS = 200


@pytest.fixture(scope="session")
def tansu() -> Iterator[LocalBroker]:
    """A broker in memory, which starts in a moment."""
    with LocalBroker() as running:
        yield running


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server whose users and passwords these tests change."""
    with running_postgres() as running:
        yield running


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the installation lies: paths of its past stand in its ledger."""
    required_program("curl", "apt-get install curl")
    return tmp_path_factory.mktemp("runbook") / "site"


@pytest.fixture(scope="session")
def template(place: Path, tansu: LocalBroker, tiny_model: Path) -> Path:
    """An installation by the runbook's first procedure that has read, trained and promoted once; it is stopped."""
    with Site(place, broker=tansu.bootstrap, model=tiny_model) as site:
        site.follows("Install")
        write_log(place / "backups" / "monday.jsonl", TALKS)
        site.types("retuned replay /backups/monday.jsonl --rate 500")
        eventually(lambda: site.total("retuned_conversations_total") == TALKS, deadline_s=120)
        site.types("retuned train -m 'to have a version'")
        eventually(lambda: site.looks("versions")["versions"][0]["name"] == "chat-v1", deadline_s=400)
        site.types("retuned promote v1 --force -m 'to have it live'")
        site.types("retuned backup /backups/support-bot.backup --artifacts")
        site.types("systemctl stop retuned")
    kept = place.with_name("template")
    place.rename(kept)
    return kept


@pytest.fixture
def site(template: Path, place: Path, tansu: LocalBroker, tiny_model: Path) -> Iterator[Site]:
    """The installation, stopped."""
    copied(template, place)
    with Site(place, broker=tansu.bootstrap, model=tiny_model) as made:
        yield made


@pytest.fixture
def running(site: Site) -> Site:
    """The installation with the daemon running."""
    site.types("systemctl start retuned")
    site.await_ready()
    return site


def write_log(file: Path, count: int, *, first: int = 0) -> None:
    """Write conversations in the shape that the README shows, of ten users. ``first`` is the number of the first one."""
    talks = list(small_talk(first + count, seed=1))[first:]
    file.write_bytes(
        b"".join(
            orjson.dumps(
                {
                    "conversation_id": talk.conversation_id,
                    "ts": "2026-11-24T09:30:00Z",
                    "user_id": f"u-{number % 10}",
                    "messages": [{"role": turn.role, "content": turn.content} for turn in talk.messages],
                }
            )
            + b"\n"
            for number, talk in enumerate(talks)
        )
    )
