"""Procedures of the runbook that an operator follows now and then. The topic has what other tests sent, too."""

import json

import pytest

from tests.e2e.runbook.conftest import TALKS, write_log
from tests.e2e.runbook.site import Site
from tests.e2e.runbook.steps import covers
from tests.servers.postgres_server import PostgresServer
from tests.support.helpers import eventually

MORE = 30
pytestmark = pytest.mark.timeout(900)


@covers("Install")
def test_install(site: Site) -> None:
    """The fixture of all these tests followed it."""
    assert site.live() == "chat-v1"
    assert site.counted() == TALKS


@covers("Upgrade", 0)
@covers("Size the machine")
def test_upgrade_and_size(running: Site) -> None:
    running.follows("Upgrade", 0)

    assert running.counted() >= TALKS
    assert "retuned_ledger_size_bytes" in running.follows("Size the machine")


@covers("Upgrade", 1)
@covers("Roll back")
def test_roll_back(running: Site) -> None:
    """A version first, then the release."""
    running.types("retuned backup /backups/before-upgrade.backup")

    running.follows("Roll back", 0)
    assert running.live() == "chat-v0"
    running.follows("Roll back", 1)
    assert running.live() == "chat-v1"

    running.follows("Upgrade", 1)
    last = running.looks("history")["entries"][-1]
    assert "it was the prompt" not in json.dumps(last)
    assert running.live() == "chat-v1"


@covers("Back up and restore")
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_back_up_and_restore(site: Site, server: PostgresServer, database: str) -> None:
    with server.database() as url:
        if database == "postgresql":
            site.types(f"retuned ledger migrate --to '{url}'")
            site.exports(
                RETUNED_LEDGER_URL=url,
                RETUNED_ARTIFACTS_URL=(site.state / "artifacts").as_uri(),
                RETUNED_HOLDOUT__KEY_FILE=str(site.state / "holdout.key"),
            )
        site.types("systemctl start retuned")
        site.await_ready()
        site.follows("Back up and restore", 0)
        write_log(site.folder / "backups" / "more.jsonl", MORE, first=TALKS)
        site.types("retuned replay /backups/more.jsonl --rate 500")
        eventually(lambda: site.total("retuned_conversations_total") >= MORE, deadline_s=120)
        site.types("retuned rollback -m 'after the backup'")

        site.follows("Back up and restore", 1)

        assert site.live() == "chat-v1"
        assert site.looks("status")["overview"]["live"]["version"] == "chat-v1"
        eventually(
            lambda: site.counted() >= TALKS + MORE, deadline_s=120
        )  # the topic is read again from the backup on
        site.types("systemctl stop retuned")


@covers("Halt and resume")
def test_halt_and_resume(running: Site) -> None:
    said = running.follows("Halt and resume")

    assert said.count("halted") >= 1
    assert running.looks("intake", "show")["halt"] is None


@covers("Replay")
def test_replay(running: Site) -> None:
    sent = running.folder / "backups" / "monday.jsonl"
    write_log(sent, MORE, first=TALKS)

    running.follows("Replay", 0)
    eventually(running.ready, deadline_s=120)
    running.follows("Replay", 1)

    eventually(lambda: running.counted() >= TALKS + MORE, deadline_s=120)


@covers("Erase a user")
def test_erase_a_user(site: Site) -> None:
    site.follows("Erase a user", 0)
    site.follows("Erase a user", 1)

    assert site.looks("erasures")["erasures"]
    assert not (site.folder / "backups" / "support-bot.backup").exists()
    again = json.loads(site.types("retuned forget --user u-4 -m again --yes --json"))
    assert again["forgotten"]["removed"]["conversations"] == 0
