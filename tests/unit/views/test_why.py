from datetime import timedelta
from pathlib import Path

import pytest

from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.runs import RunState
from daemon.domain.situation import SituationState
from daemon.views.status import status_view
from daemon.views.why import RecentActivity, decision_streaks, promotion_chain, recent_activity
from registry.names import VersionName
from registry.store import VersionNotFound
from registry.types import GateVerdict, PromotionKind
from tests.factories.daemon import LINE, START, Line, a_line


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def recently(line: Line, *, automatic: bool = True) -> RecentActivity:
    return recent_activity(
        line.stores, status_view(line.stores, line.settings, line.now), automatic=automatic
    )


def a_decision(minute: int, action: Action, trigger: Trigger | None = None) -> Decision:
    at = START + timedelta(minutes=minute)
    return Decision(at=at, trigger=trigger, action=action, reason=f"at {minute}", since_seq=1)


def test_a_version_is_followed_back_to_the_drift_that_caused_it(line: Line) -> None:
    chain = promotion_chain(line.stores, line.promoted())

    assert chain.drift is not None
    assert chain.drift.window.window.number == 2
    assert chain.drift.explanation is not None
    assert [change.name for change in chain.drift.explanation.changes] == ["退款", "length"]
    assert chain.decision is not None
    assert chain.decision.trigger is Trigger.DRIFT
    assert [earlier.action for earlier in chain.waited] == [Action.WAIT]
    assert chain.run is not None
    assert (chain.run.state, chain.run.new, chain.run.replay) == (RunState.FINISHED, 35, 4)
    assert [report.verdict for report in chain.gate] == [GateVerdict.PROMOTE]
    assert [entry.kind for entry in chain.promotions] == [PromotionKind.PROMOTION]


def test_the_base_has_no_reasons_but_its_promotions(line: Line) -> None:
    chain = promotion_chain(line.stores, VersionName(LINE, 0))

    assert (chain.base, chain.live, chain.drift, chain.decision, chain.run) == (True, True, None, None, None)
    assert [entry.kind for entry in chain.promotions] == [PromotionKind.BOOTSTRAP]


def test_a_version_that_was_replaced_says_by_what(line: Line) -> None:
    name = line.promoted()

    chain = promotion_chain(line.stores, VersionName(LINE, 0))

    assert not chain.live
    assert [entry.version for entry in chain.replaced_by] == [name]


def test_a_training_without_drift_has_no_window_behind_it(line: Line) -> None:
    run = line.start_run(line.decide(Action.TRAIN, "asked for: new shop", trigger=Trigger.MANUAL))

    chain = promotion_chain(line.stores, line.finish_run(run).name)

    assert chain.drift is None
    assert chain.decision is not None
    assert chain.decision.reason == "asked for: new shop"


def test_there_is_no_story_of_a_version_that_does_not_exist(line: Line) -> None:
    with pytest.raises(VersionNotFound):
        promotion_chain(line.stores, VersionName(LINE, 7))


def test_decisions_that_came_to_the_same_are_one_spell() -> None:
    found = decision_streaks(
        [
            a_decision(5, Action.WAIT, Trigger.DRIFT),
            a_decision(4, Action.WAIT, Trigger.DRIFT),
            a_decision(3, Action.NONE),
            a_decision(2, Action.WAIT, Trigger.DRIFT),
        ]
    )

    assert [(spell.action, spell.count) for spell in found] == [
        (Action.WAIT, 2),
        (Action.NONE, 1),
        (Action.WAIT, 1),
    ]
    assert found[0].since == START + timedelta(minutes=4)
    assert found[0].last.reason == "at 5"


def test_a_reference_that_is_still_collected_is_in_the_way(line: Line) -> None:
    line.stores.references.start(f"{LINE}-v0", size=50, after_seq=45, now=line.now)

    assert recently(line).obstacles == (
        "no window can be judged yet: the reference has 5 of 50 conversations",
    )


def test_what_changed_is_told_while_the_last_decision_is_about_it(line: Line) -> None:
    line.drift()

    found = recently(line)

    assert found.drift is not None
    assert found.drift.window.window.number == 2
    assert found.drift.explanation is not None
    line.decide(Action.NONE, "no drift", trigger=None)
    assert recently(line).drift is None


def test_a_run_that_failed_is_in_the_way(line: Line) -> None:
    run = line.start_run(line.drift())
    line.stores.runs.end(run.id, RunState.FAILED, now=line.now, error="Diverged: loss is nan")

    assert recently(line).obstacles == ("the last run, r1, failed: Diverged: loss is nan",)


def test_an_undecided_candidate_says_how_much_more_it_needs(line: Line) -> None:
    name = line.candidate()
    line.gate(name, GateVerdict.INCONCLUSIVE)

    (obstacle,) = recently(line).obstacles

    assert str(name) in obstacle
    assert "new conversations needs 25 more held-out conversations" in obstacle


def test_a_candidate_that_passed_waits_for_an_operator_where_nothing_is_automatic(line: Line) -> None:
    name = line.candidate()
    line.gate(name)

    assert recently(line, automatic=False).obstacles == (
        f"{name} passed the gate and waits for `retuned promote v1`",
    )


def test_nothing_is_in_the_way_of_a_calm_line(line: Line) -> None:
    found = recently(line)

    assert found.situation.state is SituationState.STABLE
    assert found == RecentActivity(
        drift=None, triage=None, spells=(), obstacles=(), situation=found.situation
    )
