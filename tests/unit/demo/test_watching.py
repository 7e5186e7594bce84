"""A demo that can't succeed any more is not waited for."""

import pytest

from daemon.demo.watching import dead_end, judged_since, no_candidate_comes, phase
from daemon.domain.alarms import Alarm
from daemon.domain.decisions import Action
from daemon.domain.runs import RunState
from daemon.views.status import StatusView
from registry.types import GateVerdict, PromotionKind
from tests.factories.demo import (
    NOON,
    a_candidate,
    a_decision,
    a_gate_report,
    a_judged_window,
    a_promotion,
    a_reference,
    a_run_summary,
    a_triage,
    an_overview,
)

pytestmark = pytest.mark.unit
ALARM = Alarm(window=6, first_seq=901, reason="words changed", at=NOON)
UNDECIDED = a_gate_report(verdict=GateVerdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    "now",
    [
        an_overview(judged=[a_judged_window(1)], decision=a_decision(window=1), waiting=1),
        an_overview(judged=[a_judged_window(1), a_judged_window(2)], decision=a_decision(window=1)),
        an_overview(judged=[a_judged_window(1)], decision=a_decision(action=Action.TRAIN, window=1)),
        an_overview(judged=[a_judged_window(1)], decision=a_decision(window=1), run=a_run_summary()),
        an_overview(judged=[a_judged_window(7)], decision=a_decision(window=7), alarm=ALARM),
        an_overview(
            judged=[a_judged_window(7)], decision=a_decision(window=7), alarm=ALARM, triage=a_triage()
        ),
        an_overview(),
        an_overview(candidate=a_candidate()),
        an_overview(candidate=a_candidate(report=a_gate_report(), open_=False)),
    ],
    ids=[
        "judging",
        "deciding",
        "starting",
        "training",
        "triaging",
        "triaged",
        "nothing yet",
        "at the gate",
        "passed",
    ],
)
def test_while_something_can_still_happen_it_is_waited_for(now: StatusView) -> None:
    assert dead_end(now, used_up=True) is None


def test_a_failed_run_is_the_end() -> None:
    now = an_overview(run=a_run_summary(RunState.FAILED, error="Diverged: the loss is not finite"))

    assert dead_end(now, used_up=False) == "the training failed: Diverged: the loss is not finite"


def test_a_rejected_candidate_is_the_end() -> None:
    candidate = a_candidate(report=a_gate_report(verdict=GateVerdict.REJECT), open_=False)

    assert "demo-v1" in (dead_end(an_overview(candidate=candidate), used_up=False) or "")


def test_an_undecided_candidate_is_the_end_only_when_no_more_data_come() -> None:
    now = an_overview(candidate=a_candidate(report=UNDECIDED))

    assert dead_end(now, used_up=False) is None
    assert dead_end(now, used_up=True) is not None


def test_used_up_conversations_are_the_end_once_the_last_window_is_decided_on() -> None:
    now = an_overview(judged=[a_judged_window(7)], decision=a_decision(window=7))

    assert dead_end(now, used_up=False) is None
    assert dead_end(now, used_up=True) == (
        "the conversations are used up: waits for data: 83 of 500 new lessons"
    )


def test_a_triage_that_was_decided_on_is_the_end_where_nothing_trains() -> None:
    decision = a_decision(window=None)
    judged = [a_judged_window(7)]
    now = an_overview(judged=judged, decision=decision, alarm=ALARM, triage=a_triage(decision=decision.id))

    assert dead_end(now, used_up=True) is not None


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (an_overview(), "collecting the reference"),
        (an_overview(reference=a_reference(full=False)), "collecting the reference"),
        (an_overview(reference=a_reference()), "watching for drift"),
        (an_overview(run=a_run_summary()), "training on the new conversations"),
        (
            an_overview(candidate=a_candidate()),
            "scoring demo-v1 and the live version on held-out conversations",
        ),
        (an_overview(alarm=ALARM), "drift was found; triaging the change"),
        (
            an_overview(alarm=ALARM, triage=a_triage(decision=1)),
            "drift was found; collecting new conversations to learn from",
        ),
        (an_overview(alarm=ALARM, live=a_promotion(2, PromotionKind.PROMOTION, 1)), "demo-v1 is live"),
        (an_overview(live=a_promotion(2, PromotionKind.PROMOTION, 1)), "demo-v1 is live"),
    ],
)
def test_the_phase_is_what_the_daemon_is_busy_with(now: StatusView, words: str) -> None:
    assert phase(now) == words


def test_a_newer_candidate_counts_once_the_gate_has_reported_on_it() -> None:
    judged = a_candidate(report=a_gate_report(verdict=GateVerdict.REJECT), open_=False)

    assert judged_since(an_overview(candidate=judged), "demo-v0") is judged
    assert judged_since(an_overview(candidate=judged), "demo-v1") is None
    assert judged_since(an_overview(candidate=a_candidate()), "demo-v0") is None
    assert judged_since(an_overview(), "demo-v0") is None


def test_after_a_failed_training_or_a_promotion_no_candidate_comes() -> None:
    promoted = a_promotion(2, PromotionKind.PROMOTION, 2)

    assert no_candidate_comes(an_overview(run=a_run_summary(RunState.FAILED)), "demo-v1")
    assert no_candidate_comes(an_overview(live=promoted), "demo-v1")
    assert not no_candidate_comes(an_overview(live=promoted, run=a_run_summary()), "demo-v2")


def test_a_training_that_was_put_off_after_the_triage_is_the_end() -> None:
    put_off = a_decision(5, window=None)
    now = an_overview(judged=[a_judged_window(7)], decision=put_off, alarm=ALARM, triage=a_triage(decision=4))

    assert dead_end(now, used_up=True) is not None
