from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from daemon.domain.decisions import Action, Trigger
from registry.tables import promotions
from registry.types import GateVerdict
from tests.factories.cli import type_to
from tests.factories.daemon import Line, a_line


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def test_status_shows_a_fresh_line(line: Line) -> None:
    shown = type_to(line, "status").stdout

    assert "live          support-bot-v0" in shown
    assert "not running, or not reachable at http://127.0.0.1:1" in shown
    assert "50 conversations (6 held out)" in shown
    assert "1 not_json" in shown
    assert "1 not published yet" in shown
    assert "no window was judged yet" in shown


def test_status_shows_the_alarm_and_the_run(line: Line) -> None:
    line.start_run(line.drift())

    shown = type_to(line, "status", "--verbose").stdout

    assert "confirmed since window 2" in shown
    assert "mmd: drift 0.31 (threshold 0.1)" in shown
    assert "run r1 running" in shown
    assert "training, step 12 of 40 (30%), 1 min 10 s left" in shown
    assert "loss 1.9" in shown
    assert "400 tokens/s" in shown
    brief = type_to(line, "status").stdout
    assert "mmd" not in brief
    assert "tokens/s" not in brief


def test_status_shows_a_reference_that_is_collected(line: Line) -> None:
    line.stores.references.start("support-bot-v0", size=50, after_seq=20, now=line.now)

    shown = " ".join(type_to(line, "status").stdout.split())
    assert "collecting for support-bot-v0 30 of 50 conversations" in shown


def test_status_shows_the_candidate_at_the_gate(line: Line) -> None:
    name = line.candidate()
    line.gate(name, GateVerdict.INCONCLUSIVE)

    assert f"{name}: inconclusive at look 1" in type_to(line, "status").stdout


def test_status_shows_who_asked_for_a_training(line: Line) -> None:
    line.stores.decisions.request_training(by="ada", reason="new shop", now=line.now)

    assert "by ada" in type_to(line, "status").stdout


def test_versions_are_marked(line: Line) -> None:
    name = line.candidate()

    rows = type_to(line, "versions", "--json").document["versions"]

    assert [(row["name"], row["live"], row["candidate"], row["base"]) for row in rows] == [
        (str(name), False, True, False),
        ("support-bot-v0", True, False, True),
    ]


def test_show_names_the_whole_training_set(line: Line) -> None:
    line.promoted()

    details = type_to(line, "show", "support-bot-v1", "--json").document

    assert details["version"]["lineage"]["conversations"] == 39
    assert details["version"]["lineage"]["packages"]["torch"] == "2.13.0"
    assert details["gate_reports"][0]["slices"][0]["name"] == "new conversations"


def test_show_names_the_versions_there_are_when_asked_for_another(line: Line) -> None:
    answer = type_to(line, "show", "v7")

    assert answer.exit_code == 2
    assert "there is no support-bot-v7; versions of support-bot: v0" in answer.stderr


def test_what_is_no_version_is_bad_usage(line: Line) -> None:
    answer = type_to(line, "show", "seven", "--json")

    assert answer.exit_code == 2
    assert answer.error["kind"] == "BadName"


def test_history_finds_an_entry_that_was_altered(line: Line) -> None:
    line.promoted()
    with line.stores.engine.begin() as connection:
        first = connection.scalars(promotions.select().with_only_columns(promotions.c.document)).first()
        assert first is not None
        altered = {**first, "reason": "nobody will notice"}
        connection.execute(update(promotions).where(promotions.c.position == 1).values(document=altered))

    answer = type_to(line, "history", "--json")

    assert answer.exit_code == 1
    assert not answer.document["intact"]
    assert "entry 2" in answer.document["problem"]


def test_why_tells_the_chain_from_drift_to_promotion(line: Line) -> None:
    line.promoted()

    shown = type_to(line, "why").stdout

    expected_in_order = [
        "why support-bot-v1 (live)", "drift in window 2", "at least 80% of the window is new", "退款 0.10% -> 12.00%",
        "typical conversations: c71, c75", "decision: train", "waits for data", "run r1: finished",
        "35 new conversations (71 to 110)", "4 earlier conversations replayed", "gate, look 1: promote", "promotion: support-bot-v1",
    ]  # fmt: skip
    places = [shown.index(part) for part in expected_in_order]
    assert places == sorted(places)


def test_why_of_an_earlier_version_says_what_replaced_it(line: Line) -> None:
    line.promoted()

    shown = type_to(line, "why", "v0").stdout

    assert "why support-bot-v0 (not live)" in shown
    assert "replaced: promotion: support-bot-v1" in shown
    assert "recent activity" not in shown


def test_why_not_tells_what_is_waited_for_and_how_often(line: Line) -> None:
    for left in (90, 60, 30):
        line.decide(Action.WAIT, f"waits for the cooldown: {left} s left", trigger=Trigger.DRIFT)
        line.now += timedelta(seconds=30)

    shown = type_to(line, "why", "--not").stdout

    assert "drift: wait, " in shown
    assert "3 times since" in shown
    assert "waits for the cooldown: 30 s left" in shown


def test_why_not_says_so_when_nothing_was_due(line: Line) -> None:
    assert "no decision yet" in type_to(line, "why", "--not").stdout


def test_words_of_conversations_can_not_steer_the_terminal(line: Line) -> None:
    line.stores.decisions.request_training(by="ada", reason="[bold]not markup[/nonsense]", now=line.now)

    answer = type_to(line, "status")

    assert answer.exit_code == 0
    assert "[bold]not markup[/nonsense]" in answer.stdout
