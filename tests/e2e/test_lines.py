"""Several model lines in one daemon: each reads, keeps and shows its own, and one that fails stops no other."""

import json
import shutil
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.intake.replay import encode_record
from tests.e2e.daemon_process import DaemonProcess, free_port
from tests.e2e.regimes import shop_questions, small_talk
from tests.e2e.stream import Stream
from tests.e2e.test_closed_loop import SETTINGS
from tests.servers.brokers import Broker
from tests.servers.postgres_server import PostgresServer
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(240)

SUPPORT, SALES = "support-bot", "sales"
_SECTIONS = ("holdout", "windows", "policy", "learning", "gate")


class Lines:
    """A daemon of two lines, each with a topic."""

    def __init__(self, broker: Broker, base: Path, folder: Path, shared: dict[str, Any]) -> None:
        self.streams = {name: Stream(broker, f"{name}-{time.monotonic_ns()}") for name in (SUPPORT, SALES)}
        self.bases = {name: folder / "models" / name for name in (SUPPORT, SALES)}
        for each in self.bases.values():
            shutil.copytree(base, each)
        port = free_port()
        self.document = {
            **{name: SETTINGS[name] for name in _SECTIONS},
            "state_dir": str(folder / "state"),
            "model": SETTINGS["model"],
            "kafka": {"bootstrap_servers": broker.bootstrap.split(","), **SETTINGS["kafka"]},
            "http": {"port": port},
            **shared,
            "lines": {
                name: {
                    "model": {"base": str(self.bases[name])},
                    "kafka": {
                        "topic": stream.settings.topic,
                        "dead_letter_topic": stream.settings.dead_letter_topic,
                    },
                }
                for name, stream in self.streams.items()
            },
        }
        self.config = folder / "retuned.yaml"
        self.config.write_text(yaml.safe_dump(self.document, sort_keys=False), encoding="utf-8")
        self.daemon = DaemonProcess(self.config, http_port=port)

    def states(self) -> dict[str, Any]:
        """What /readyz says of each line."""
        try:
            found = json.loads(self.daemon.get("/readyz"))
        except urllib.error.HTTPError as refused:
            with refused:
                found = json.loads(refused.read())
        lines: dict[str, Any] = found["lines"]
        return lines

    def ready(self, *names: str) -> bool:
        states = self.states()
        return all(states[name]["status"] == "ready" for name in names)

    def metric(self, line: str, name: str, **labels: str) -> float | None:
        given = ",".join(f'{label}="{value}"' for label, value in {"model_line": line, **labels}.items())
        return self.daemon.metric(f"{name}{{{given}}}")

    def stored(self, line: str) -> float:
        return sum(
            self.metric(line, "retuned_conversations_total", split=split) or 0
            for split in ("train", "heldout")
        )


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The settings that say where the ledger of all lines is."""
    if request.param == "sqlite":
        yield {}
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    key = tmp_path / "shared.key"
    key.write_text("k" * 32)
    with server.database() as url:
        yield {
            "ledger_url": url,
            "artifacts_url": (tmp_path / "artifacts").as_uri(),
            "holdout": {**SETTINGS["holdout"], "key_file": str(key)},
        }


@pytest.fixture
def make(broker: Broker, tiny_model: Path, tmp_path: Path) -> Callable[[dict[str, Any]], Lines]:
    return lambda shared: Lines(broker, tiny_model, tmp_path, shared)


def test_records_metrics_reports_and_commands_are_each_line_s_own(
    make: Callable[[dict[str, Any]], Lines], shared: dict[str, Any]
) -> None:
    lines = make(shared)
    with lines.daemon as daemon:
        eventually(lambda: lines.ready(SUPPORT, SALES), deadline_s=60)
        lines.streams[SUPPORT].send(*map(encode_record, small_talk(40, seed=1)))
        lines.streams[SALES].send(*map(encode_record, shop_questions(25, seed=2)), b"not json")

        eventually(lambda: (lines.stored(SUPPORT), lines.stored(SALES)) == (40, 25), deadline_s=60)

        eventually(lambda: lines.metric(SALES, "retuned_dead_letters_published_total") == 1, deadline_s=30)
        assert lines.metric(SUPPORT, "retuned_dead_letters_published_total") == 0
        assert {lines.metric(name, "retuned_line_up") for name in (SUPPORT, SALES)} == {1}
        exposition = daemon.get("/metrics")
        assert exposition.count("# TYPE retuned_leader gauge") == 1
        assert exposition.count("\nprocess_resident_memory_bytes ") == 1

        assert json.loads(daemon.get(f"/lines/{SALES}/reports"))["reports"] == []
        assert [each["path"] for each in json.loads(daemon.get("/reports"))["lines"]] == [
            f"/lines/{SUPPORT}/reports",
            f"/lines/{SALES}/reports",
        ]

        daemon.retuned("hold", "-m", "holidays", "--line", SALES)
        found = daemon.retuned("status")["lines"]
        assert {name: each["daemon"]["running"] for name, each in found.items()} == {
            SUPPORT: True,
            SALES: True,
        }
        assert {name: each["daemon"]["live"] for name, each in found.items()} == {
            SUPPORT: f"{SUPPORT}-v0",
            SALES: f"{SALES}-v0",
        }
        assert found[SUPPORT]["overview"]["orders"]["hold"] is None
        assert found[SALES]["overview"]["orders"]["hold"]["reason"] == "holidays"
        assert daemon.stop() == 0
    assert "support-bot is running" in daemon.log()


def test_a_line_with_a_broken_base_does_not_stop_the_other_and_comes_up_once_it_is_mended(
    make: Callable[[dict[str, Any]], Lines],
) -> None:
    lines = make({})
    config = lines.bases[SALES] / "config.json"
    whole = config.read_bytes()
    shutil.rmtree(lines.bases[SALES])
    with lines.daemon as daemon:
        eventually(lambda: lines.ready(SUPPORT), deadline_s=60)
        lines.streams[SUPPORT].send(*map(encode_record, small_talk(20, seed=1)))
        eventually(lambda: lines.stored(SUPPORT) == 20, deadline_s=60)

        eventually(lambda: str(lines.bases[SALES]) in str(lines.states()[SALES]["problems"]), deadline_s=30)
        assert lines.metric(SALES, "retuned_line_up") == 0
        assert lines.metric(SUPPORT, "retuned_line_up") == 1
        assert daemon.retuned("status", "--line", SALES, expect=0)["daemon"]["problems"].keys() == {"line"}

        shutil.copytree(lines.bases[SUPPORT], lines.bases[SALES])
        assert config.read_bytes() == whole
        eventually(lambda: lines.ready(SALES), deadline_s=60)
        assert (lines.metric(SALES, "retuned_line_restarts_total") or 0) >= 1
        assert daemon.stop() == 0


def test_a_line_whose_ledger_vanishes_does_not_stop_the_other(
    make: Callable[[dict[str, Any]], Lines], tmp_path: Path
) -> None:
    lines = make({})
    with lines.daemon as daemon:
        eventually(lambda: lines.ready(SUPPORT, SALES), deadline_s=60)
        ledger = tmp_path / "state" / "lines" / SALES / "ledger.db"
        away = ledger.with_name("away.db")
        ledger.rename(away)

        eventually(lambda: "there is no ledger" in str(lines.states()[SALES]["problems"]), deadline_s=60)
        assert lines.metric(SALES, "retuned_problem", kind="ledger_lost") == 1
        lines.streams[SUPPORT].send(*map(encode_record, small_talk(20, seed=1)))
        eventually(lambda: lines.stored(SUPPORT) == 20, deadline_s=60)
        assert lines.ready(SUPPORT)
        assert not ledger.exists()

        away.rename(ledger)
        eventually(lambda: lines.ready(SALES), deadline_s=60)
        assert daemon.stop() == 0


def test_one_line_of_the_file_runs_alone(make: Callable[[dict[str, Any]], Lines]) -> None:
    lines = make({})
    daemon = lines.daemon
    daemon.launch("--line", SALES)
    with daemon:
        assert json.loads(daemon.get("/readyz"))["model_line"] == SALES
        assert json.loads(daemon.get("/reports"))["reports"] == []
        assert daemon.retuned("status", "--line", SALES)["daemon"]["running"] is True
        assert daemon.retuned("status", "--line", SUPPORT, expect=1)["error"]["kind"] == "LedgerError"
        assert daemon.stop() == 0
