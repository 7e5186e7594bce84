import json
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.detection import state_json
from daemon.facts import Triage
from daemon.ledger.detectors import RaisedAlarm, StoredDetector
from daemon.ledger.reasons import ReasonLedger
from monitors.edetector import DetectorState, Stake
from monitors.types import Aspect, Outcome
from tests.factories_cli import type_to
from tests.factories_daemon import Line, a_line
from tests.factories_ledger import a_batch, a_talk
from tests.unit.test_edetector import SHOP, SPORT, WORDS
from tests.unit.test_edetector import a_talk as a_sample


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def watched(line: Line, wealth: float) -> StoredDetector:
    reference = line.stores.windows.reference()
    assert reference is not None
    stakes = {aspect: Stake() for aspect in Aspect} | {Aspect.INPUT: Stake(wealth=wealth, since=51)}
    state = DetectorState(count=40, stakes=stakes, recent=(51,))
    return StoredDetector(reference_id=reference.id, seq=90, state=state_json(state), at=line.now)


def test_before_anything_is_watched_it_says_why(line: Line) -> None:
    shown = type_to(line, "drift", "show").stdout

    assert "alarm  none" in shown
    assert "nothing is watched yet: the reference is not full, or no conversation came since" in shown


def test_the_evidence_is_shown_by_aspect(line: Line) -> None:
    line.stores.detectors.keep(watched(line, 141.0))

    shown = type_to(line, "drift", "show").stdout

    assert "40 conversations watched, up to 90; evidence for a change 29 : 1, alarm from 20,000" in shown
    assert "███████████████···············" in shown


def test_an_alarm_and_what_changed_are_shown(line: Line) -> None:
    line.drift()
    raised = RaisedAlarm(seq=75, since_seq=71, evidence={"input": 9e4, "reply": 2.0}, at=line.now)
    line.stores.detectors.raise_alarm(watched(line, 1.0), raised)

    shown = " ".join(type_to(line, "drift", "show").stdout.split())

    assert "alarm drift since conversation" in shown
    assert "at conversation 75: changed at about 71, mostly in its input" in shown
    assert "退款 0.10% -> 12.00%" in shown


def test_scripts_get_all_of_it(line: Line) -> None:
    line.drift()
    line.stores.detectors.keep(watched(line, 141.0))

    told = json.loads(type_to(line, "drift", "show", "--json").stdout)

    assert told["watch"]["evidence"]["input"] == 141.0
    assert told["alarm"]["window"] == 2
    assert told["explanation"]["share_new"] == 0.8


def test_why_finds_the_alarm_behind_a_decision_though_the_change_began_earlier(line: Line) -> None:
    line.drift()
    window = line.stores.windows.judged(limit=1, drift_only=True)[0].window.range
    raised = RaisedAlarm(seq=window.last, since_seq=window.first - 7, evidence={"input": 9e4}, at=line.now)
    line.stores.detectors.raise_alarm(watched(line, 1.0), raised)
    decision = replace(line.stores.trainings.recent_decisions(1)[0], since_seq=window.first - 7)
    found = ReasonLedger(line.stores.engine).alarm_behind(decision)

    assert found is not None
    assert found.window.range == window


def looked_into(line: Line, outcome: Outcome) -> None:
    """Drift, and its triage, before the decision to train."""
    line.drift()
    alarm = line.stores.windows.alarm(after_seq=0)
    assert alarm is not None
    line.stores.triages.record(
        Triage(
            window=alarm.window, reference_id=1, since_seq=alarm.first_seq, version="support-bot-v0", outcome=outcome,
            reason="it hurts: loss +0.42 nats per token", numbers={"loss": 0.42}, examples=("c71",), at=alarm.at,
        )
    )  # fmt: skip


def test_whether_a_change_hurts_is_shown_wherever_it_is_asked(line: Line) -> None:
    looked_into(line, Outcome.TRAIN)
    decision = line.stores.trainings.recent_decisions(1)[0]
    line.finish_run(line.start_run(decision))

    for words in (("drift", "show"), ("why", "v1")):
        shown = " ".join(type_to(line, *words).stdout.split())
        assert "under support-bot-v0: it hurts: loss +0.42 nats per token" in shown
        assert "such as: c71" in shown
    assert "window 2's alarm" in " ".join(type_to(line, "status").stdout.split())


def test_scripts_get_the_triage_too(line: Line) -> None:
    looked_into(line, Outcome.CANT_HELP)

    shown = json.loads(type_to(line, "drift", "show", "--json").stdout)["triages"]
    status = json.loads(type_to(line, "status", "--json").stdout)["overview"]["triage"]

    assert shown == [status]
    assert (status["outcome"], status["numbers"]) == ("cant_help", {"loss": 0.42})


def test_too_little_history_to_calibrate_is_refused_with_what_is_missing(line: Line) -> None:
    refused = type_to(line, "drift", "calibrate", "--json")

    assert refused.exit_code != 0
    assert refused.error["message"].endswith("are too few to try anything; wait for 200")


def test_calibrating_says_how_rare_false_alarms_are_and_what_is_caught(line: Line) -> None:
    texts = [a_sample(n, (SHOP, SPORT, WORDS[600:])[n % 3]).turns[0].content for n in range(400)]
    new = [a_talk(line.read + n, user=f"u{n}", text=text) for n, text in enumerate(texts)]
    line.stores.intake.record(a_batch(new))

    words = ("--conversations", "1000", "--within", "150", "--changes", "1")
    shown = " ".join(type_to(line, "drift", "calibrate", *words).stdout.split())

    assert "0 alarms in 1,000 conversations of shuffled history, where 0.1 are declared at most" in shown
    assert "at least 334 conversations apart, with 95% confidence" in shown
    assert "100% 100% of 1" in shown
