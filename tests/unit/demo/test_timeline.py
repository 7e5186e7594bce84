"""Each thing that happens is observed once."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from daemon.demo.events import Event, Kind
from daemon.demo.timeline import Seen, observe
from daemon.domain.conversation import Conversation
from daemon.domain.decisions import Action
from daemon.domain.runs import RunState
from daemon.views.status import StatusView
from registry.types import GateVerdict, PromotionKind
from tests.factories.demo import (
    a_candidate,
    a_conversation,
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

EXPLANATION: dict[str, object] = {
    "window_id": "2",
    "changes": [
        {"aspect": "word", "name": "capital", "reference": 0.0, "window": 0.02, "score": 9.0},
        {"aspect": "word", "name": "haha", "reference": 0.02, "window": 0.0, "score": -7.0},
        {"aspect": "descriptor", "name": "turns", "reference": 12.0, "window": 2.0, "score": -8.0},
    ],
    "examples": ["c1", "unknown"],
    "share_new": 0.67,
}


def observed(
    seen: Seen, now: StatusView, conversations: Sequence[Conversation] = ()
) -> tuple[Seen, tuple[Event, ...]]:
    return observe(seen, now, {conversation.conversation_id: conversation for conversation in conversations})


def texts(events: tuple[Event, ...]) -> str:
    return "\n".join(line for event in events for line in (event.text, *event.details))


@pytest.mark.parametrize(
    "now",
    [
        an_overview(reference=a_reference()),
        an_overview(judged=[a_judged_window(1), a_judged_window(2, "drift", score=3.0)]),
        an_overview(decision=a_decision()),
        an_overview(run=a_run_summary()),
        an_overview(run=a_run_summary(RunState.FINISHED)),
        an_overview(candidate=a_candidate()),
        an_overview(candidate=a_candidate(report=a_gate_report(verdict=GateVerdict.REJECT), open_=False)),
        an_overview(live=a_promotion()),
        an_overview(triage=a_triage()),
    ],
)
def test_a_second_look_at_the_same_state_tells_nothing(now: StatusView) -> None:
    seen, first = observed(Seen(), now)

    assert first
    assert observed(seen, now) == (seen, ())


def test_an_unfilled_reference_is_not_told() -> None:
    assert observed(Seen(), an_overview(reference=a_reference(full=False)))[1] == ()


def test_windows_are_told_oldest_first_and_kept_for_the_sparkline() -> None:
    seen, events = observed(Seen(), an_overview(judged=[a_judged_window(1), a_judged_window(2)]))

    assert [event.text.split(" (")[0] for event in events] == ["window 1", "window 2"]
    assert [fact.number for fact in seen.windows] == [1, 2]


def test_the_alarm_says_what_changed_with_words_and_examples() -> None:
    window = a_judged_window(2, "drift", score=3.0, explanation=EXPLANATION)

    _, (alarm,) = observed(
        Seen(), an_overview(judged=[window]), [a_conversation("c1", "What is the\ncapital of Peru?")]
    )

    assert alarm.kind is Kind.ALARM
    assert alarm.text == "ALARM in window 2 (conversations 501 to 600): e_detector says drift"
    assert alarm.details == (
        "more often: capital",
        "less often: haha",
        "turns: 12.00 -> 2.00",
        "at least 67% of the window is new",
        "for example: “What is the capital of Peru?”",
    )


def test_chinese_examples_are_told_as_they_are() -> None:
    window = a_judged_window(1, "drift", explanation={"changes": [], "examples": ["c1"]})

    _, (alarm,) = observed(
        Seen(), an_overview(judged=[window]), [a_conversation("c1", "你好，请问附近有酒店吗？")]
    )

    assert alarm.details == ("for example: “你好，请问附近有酒店吗？”",)


def test_only_the_first_drift_is_the_alarm() -> None:
    now = an_overview(judged=[a_judged_window(1, "drift"), a_judged_window(2, "drift")])

    _, (alarm, later) = observed(Seen(), now)

    assert alarm.text.startswith("ALARM")
    assert later.text.startswith("window 2")


def test_a_decision_that_nothing_asked_for_is_not_told() -> None:
    seen, events = observed(Seen(), an_overview(decision=a_decision(3, Action.NONE, drift=False)))

    assert events == ()
    assert seen.decision == 3


def test_a_decision_to_wait_gives_its_reason() -> None:
    _, (event,) = observed(Seen(), an_overview(decision=a_decision()))

    assert event.text == "decision: wait: waits for data: 83 of 500 new lessons"


def test_it_is_told_whether_the_change_hurts() -> None:
    _, events = observed(Seen(), an_overview(triage=a_triage()))

    assert texts(events) == "triage of the change: train: there is something to learn"


def test_a_run_is_told_when_it_begins_and_when_it_ends() -> None:
    seen, (begins,) = observed(Seen(), an_overview(run=a_run_summary()))
    _, (ends,) = observed(seen, an_overview(run=a_run_summary(RunState.FINISHED)))

    assert "begins" in begins.text
    assert ends.text == "run r1 finished after 170 s"


def test_a_failed_run_is_told_with_its_error() -> None:
    _, events = observed(Seen(), an_overview(run=a_run_summary(RunState.FAILED, error="Diverged: no")))

    assert events[-1] == Event(kind=Kind.BAD, text="run r1 failed: Diverged: no")


def test_an_undecided_gate_is_told_look_by_look() -> None:
    first = a_candidate(report=a_gate_report(verdict=GateVerdict.INCONCLUSIVE))
    second = a_candidate(report=a_gate_report(verdict=GateVerdict.INCONCLUSIVE, look=2))

    seen, events = observed(Seen(), an_overview(candidate=first))
    _, again = observed(seen, an_overview(candidate=second))

    assert [event.text for event in (*events[1:], *again)] == ["the gate on demo-v1: inconclusive"] * 2


def test_a_promotion_is_told_with_the_gates_numbers() -> None:
    seen, _ = observed(Seen(), an_overview(live=a_promotion()))

    _, events = observed(seen, an_overview(live=a_promotion(2, PromotionKind.PROMOTION, 1)))

    assert texts(events).splitlines() == [
        "the gate on demo-v1: promote",
        "target: better",
        "protected: better",
        "demo-v1 is live now, by the daemon",
    ]


def test_a_pass_is_told_once_though_candidate_and_promotion_both_carry_it() -> None:
    passed = a_candidate(report=a_gate_report())
    seen, _ = observed(replace(Seen(), live_position=1), an_overview(candidate=passed))

    _, events = observed(seen, an_overview(live=a_promotion(2, PromotionKind.PROMOTION, 1)))

    assert texts(events).count("the gate on demo-v1: promote") == 1


def test_a_decision_that_is_made_again_for_the_same_reason_is_told_once() -> None:
    seen, _ = observed(Seen(), an_overview(decision=a_decision(2)))

    again, events = observed(seen, an_overview(decision=a_decision(3)))

    assert events == ()
    assert again.decision == 3


def test_after_the_alarm_a_decision_does_not_repeat_it() -> None:
    decision = replace(a_decision(2), reason="drift since window 6 (words changed; much); waits for run r1")

    _, (event,) = observed(replace(Seen(), alarmed=True), an_overview(decision=decision))

    assert event.text == "decision: wait: waits for run r1"
