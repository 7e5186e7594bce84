from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from daemon.config.settings import PolicySection
from daemon.domain.alarms import Alarm, Triage
from daemon.domain.decisions import Action, Decision, DecisionGround, Trigger
from daemon.training.policy import DecisionInputs, decide
from monitors.types import Outcome

NOW = datetime(2026, 11, 24, tzinfo=UTC)
POLICY = PolicySection(triage=False, min_new_lessons=100, cooldown_s=3_600)
ALARM = Alarm(window=7, first_seq=701, reason="the words changed", at=NOW)
QUIET = DecisionInputs(
    now=NOW, window=9, alarm=None, new_since_alarm=0, learned_until=500, new_since_learned=400
)
DRIFTED = replace(QUIET, alarm=ALARM, new_since_alarm=150)


def changed(**values: object) -> PolicySection:
    return POLICY.model_copy(update=values)


def decided(inputs: DecisionInputs, policy: PolicySection = POLICY) -> tuple[Trigger | None, Action]:
    decision = decide(inputs, policy)
    return decision.trigger, decision.action


def test_no_reason_to_train_is_a_recorded_decision() -> None:
    decision = decide(QUIET, POLICY)

    assert decision == Decision(
        at=NOW,
        trigger=None,
        action=Action.NONE,
        reason="no drift and no other reason to train",
        since_seq=501,
        window=9,
    )


def test_drift_with_enough_data_trains_on_what_came_since_the_change() -> None:
    decision = decide(DRIFTED, POLICY)

    assert (decision.trigger, decision.action, decision.since_seq) == (Trigger.DRIFT, Action.TRAIN, 701)
    assert "window 7" in decision.reason
    assert "the words changed" in decision.reason


@pytest.mark.parametrize(
    ("change", "why", "ground"),
    [
        ({"new_since_alarm": 99}, "99 of 100 new lessons", DecisionGround.FEW_LESSONS),
        ({"pending_work": "run r3"}, "waits for run r3", DecisionGround.PENDING_WORK),
        ({"last_ended": NOW - timedelta(minutes=59)}, "cooldown: 60 s left", DecisionGround.COOLDOWN),
        ({"pause": "ann paused it"}, "ann paused it", DecisionGround.PAUSED),
    ],
)
def test_drift_waits_and_says_for_what(change: dict[str, object], why: str, ground: DecisionGround) -> None:
    decision = decide(replace(DRIFTED, **change), POLICY)  # type: ignore[arg-type]

    assert decision.action is Action.WAIT
    assert why in decision.reason
    assert decision.ground is ground


def test_the_cooldown_ends() -> None:
    assert decided(replace(DRIFTED, last_ended=NOW - timedelta(hours=1))) == (Trigger.DRIFT, Action.TRAIN)


def test_drift_does_not_train_where_that_is_switched_off() -> None:
    assert decided(DRIFTED, changed(on_drift=False)) == (Trigger.DRIFT, Action.NONE)


@pytest.mark.parametrize(
    ("outcome", "action"),
    [
        (Outcome.TRAIN, Action.TRAIN),
        (Outcome.UNCLEAR, Action.TRAIN),
        (Outcome.IGNORE, Action.NONE),
        (Outcome.CANT_HELP, Action.NONE),
    ],
)
def test_a_triage_is_waited_for_and_obeyed(outcome: Outcome, action: Action) -> None:
    policy = changed(triage=True)
    triage = Triage(
        window=7, reference_id=1, since_seq=701, version="chat-v0", outcome=outcome, reason="prices change daily",
        numbers={}, examples=(), at=NOW,
    )  # fmt: skip

    waits = decide(DRIFTED, policy)
    knows = decide(replace(DRIFTED, triage=triage), policy)

    assert (waits.action, "waits for triage" in waits.reason) == (Action.WAIT, True)
    assert (knows.trigger, knows.action, knows.since_seq) == (Trigger.DRIFT, action, 701)
    assert "prices change daily" in knows.reason


def test_switched_off_triage_is_not_waited_for() -> None:
    assert decided(DRIFTED) == (Trigger.DRIFT, Action.TRAIN)


def test_an_operators_wish_waits_for_no_triage() -> None:
    assert decided(replace(DRIFTED, requested="now"), changed(triage=True)) == (
        Trigger.MANUAL,
        Action.TRAIN,
    )


def test_an_operators_wish_overrules_cooldown_and_minimum() -> None:
    inputs = replace(
        QUIET,
        requested="new prices",
        requested_by="ada",
        new_since_learned=1,
        last_ended=NOW,
        pending_work="run r3",
    )

    decision = decide(inputs, POLICY)

    assert (decision.trigger, decision.action, decision.requested_by) == (Trigger.MANUAL, Action.TRAIN, "ada")


def test_an_operators_wish_is_refused_where_there_is_nothing_to_learn_from() -> None:
    assert decided(replace(QUIET, requested="now", new_since_learned=0)) == (Trigger.MANUAL, Action.NONE)


def test_a_wish_during_an_alarm_learns_from_the_change_on() -> None:
    assert decide(replace(DRIFTED, requested="now"), POLICY).since_seq == 701


def test_volume_trains_from_the_wanted_number_on() -> None:
    policy = changed(after_conversations=400)

    assert decided(QUIET, policy) == (Trigger.VOLUME, Action.TRAIN)
    assert decided(replace(QUIET, new_since_learned=399), policy) == (None, Action.NONE)


def test_a_scheduled_training_without_data_is_skipped() -> None:
    assert decided(replace(QUIET, scheduled=True)) == (Trigger.SCHEDULE, Action.TRAIN)
    assert decided(replace(QUIET, scheduled=True, new_since_learned=3)) == (Trigger.SCHEDULE, Action.NONE)


def test_drift_goes_before_the_schedule() -> None:
    assert decided(replace(DRIFTED, scheduled=True)) == (Trigger.DRIFT, Action.TRAIN)


def test_drift_that_is_switched_off_does_not_hold_back_the_schedule_or_the_volume() -> None:
    off = changed(on_drift=False, after_conversations=400)

    assert decided(replace(DRIFTED, scheduled=True), off) == (Trigger.SCHEDULE, Action.TRAIN)
    assert decided(DRIFTED, off) == (Trigger.VOLUME, Action.TRAIN)
