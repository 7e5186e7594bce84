from datetime import timedelta
from pathlib import Path

import pytest

from daemon.domain.decisions import Action, Trigger
from daemon.domain.runs import RunState
from daemon.domain.situation import SituationState
from daemon.views.status import StatusView, status_view
from registry.names import VersionName
from registry.types import GateVerdict
from tests.factories.daemon import LINE, Line, a_line


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def look(line: Line) -> StatusView:
    return status_view(line.stores, line.settings, line.now)


def test_a_fresh_line_is_on_its_base_and_has_judged_nothing(line: Line) -> None:
    seen = look(line)

    assert seen.live is not None
    assert seen.live.version == VersionName(LINE, 0)
    assert (seen.judged, seen.alarm, seen.decision, seen.run, seen.candidate) == ((), None, None, None, None)


def test_what_was_read_is_counted(line: Line) -> None:
    counts = look(line).intake

    assert (counts.conversations, counts.held_out) == (50, 6)
    assert (counts.dead_letters, counts.dead_letters_waiting) == ({"not_json": 1}, 1)
    assert [(at.partition, at.next_offset) for at in counts.positions] == [(0, 51)]


def test_the_open_window_and_the_reference_are_counted(line: Line) -> None:
    line.add_conversations(27)

    counts = look(line).windows

    assert (counts.closed, counts.waiting, counts.open, counts.collected) == (1, 1, 7, 50)


def test_a_reference_that_is_still_collected_says_how_far(line: Line) -> None:
    line.stores.references.start(f"{LINE}-v1", size=50, after_seq=30, now=line.now)

    counts = look(line).windows

    assert counts.reference is not None
    assert counts.reference.range is None
    assert counts.collected == 20


def test_drift_shows_as_alarm_with_the_decision_on_it(line: Line) -> None:
    line.drift()

    seen = look(line)

    assert seen.alarm is not None
    assert seen.alarm.window == 2
    assert [window.finding for window in seen.judged] == ["drift", "drift", "stable"]
    assert seen.decision is not None
    assert seen.decision.action is Action.TRAIN


def test_a_run_shows_its_progress(line: Line) -> None:
    line.start_run(line.drift())

    run = look(line).run

    assert run is not None
    assert (run.state, run.progress and run.progress["step"]) == (RunState.RUNNING, 12)


def test_a_finished_run_leaves_a_candidate_and_no_alarm(line: Line) -> None:
    name = line.candidate()

    seen = look(line)

    assert seen.alarm is None
    assert seen.candidate is not None
    assert (seen.candidate.name, seen.candidate.report, seen.candidate.open) == (name, None, True)


@pytest.mark.parametrize(
    ("verdict", "is_open"),
    [(GateVerdict.REJECT, False), (GateVerdict.INCONCLUSIVE, True), (GateVerdict.PROMOTE, False)],
)
def test_a_candidate_is_open_until_the_gate_has_answered(
    line: Line, verdict: GateVerdict, is_open: bool
) -> None:
    name = line.candidate()
    report = line.gate(name, verdict)

    candidate = look(line).candidate

    assert candidate is not None
    assert (candidate.report, candidate.looks, candidate.open) == (report, 1, is_open)


def test_an_undecided_candidate_whose_looks_are_used_up_is_not_open(line: Line) -> None:
    name = line.candidate()
    for _ in range(line.settings.gate.max_looks):
        line.gate(name, GateVerdict.INCONCLUSIVE)

    candidate = look(line).candidate

    assert candidate is not None
    assert not candidate.open


def test_a_promoted_version_is_live_and_no_candidate(line: Line) -> None:
    name = line.promoted()

    seen = look(line)

    assert seen.live is not None
    assert (seen.live.version, seen.live.at > line.now - timedelta(minutes=5)) == (name, True)
    assert seen.candidate is None


def test_an_operators_request_shows_until_it_is_answered(line: Line) -> None:
    line.stores.decisions.request_training(by="ada", reason="new products", now=line.now)

    wish = look(line).wish

    assert wish is not None
    assert wish.by == "ada"


def test_a_training_that_was_put_off_is_not_said_to_be_decided_on(line: Line) -> None:
    decision = line.drift()
    assert look(line).situation.state is SituationState.TRAINING

    line.decide(
        Action.WAIT, f"{decision.reason}; waits for an operator to look", trigger=Trigger.DRIFT, since=decision.since_seq
    )  # fmt: skip

    assert look(line).situation.state is SituationState.IN_TRIAGE
