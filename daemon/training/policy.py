"""Decides whether to train: a pure function of what is known, with a reason either way."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.config.settings import PolicySection
from daemon.domain.alarms import Alarm, Triage
from daemon.domain.decisions import Action, Decision, DecisionGround, Trigger
from daemon.training.new_lessons import NO_LESSONS_REMEDY
from monitors.types import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionInputs:
    """Everything that a decision depends on. Counts are of lessons in conversations that may be trained on."""

    now: datetime
    window: int | None  # the window just judged, if there is one
    alarm: Alarm | None  # the open alarm: no training and no decision has answered it
    new_since_alarm: int
    learned_until: int  # seq of the newest conversation that a finished run has learned from
    new_since_learned: int
    besides_since_alarm: str | None = None  # in words, answers that came since and teach nothing
    besides_since_learned: str | None = None
    triage: Triage | None = None  # of the alarm
    requested: str | None = None  # the reason that an operator gave for a manual request
    requested_by: str | None = None
    scheduled: bool = False  # a scheduled time has come
    pause: str | None = None  # in words, who paused training and why
    pending_work: str | None = None  # a run, or a candidate at the gate
    last_ended: datetime | None = None  # when the last run ended
    one_user: str | None = None  # in words, how one user id keeps conversations from being trained on
    #: Why nothing calls for a training, where no alarm is open; see ``daemon.domain.situation.decision_reason``.
    standing: str = "no drift and no other reason to train"
    tried: str | None = None  # what became of an earlier training on the change


def decide(inputs: DecisionInputs, policy: PolicySection) -> Decision:
    """Decide by the strongest trigger: an operator's request, drift, the schedule, the volume."""
    if inputs.requested is not None:
        return _on_request(inputs)
    if inputs.alarm is not None and policy.on_drift:
        return _on_drift(inputs, inputs.alarm, policy)
    if inputs.scheduled:
        return _on_occasion(inputs, Trigger.SCHEDULE, "the scheduled time has come", policy)
    wanted = policy.after_conversations
    if wanted is not None and inputs.new_since_learned >= wanted:
        reason = f"{inputs.new_since_learned} new lessons, {wanted} wanted"
        return _on_occasion(inputs, Trigger.VOLUME, reason, policy)
    if inputs.alarm is not None:
        return _drift_is_off(inputs, inputs.alarm)
    return _decision(inputs, None, Action.NONE, DecisionGround.NO_CAUSE, inputs.standing)


def _on_request(inputs: DecisionInputs) -> Decision:
    """An operator's request overrules cooldown and minimum, but needs at least one lesson to learn."""
    since = inputs.alarm.first_seq if inputs.alarm else inputs.learned_until + 1
    new = inputs.new_since_alarm if inputs.alarm else inputs.new_since_learned
    besides = inputs.besides_since_alarm if inputs.alarm else inputs.besides_since_learned
    if new == 0:
        reason = "asked for, but there is no lesson to learn yet"
        if besides is not None:
            reason += f" ({besides}); {NO_LESSONS_REMEDY}"
        return _decision(inputs, Trigger.MANUAL, Action.NONE, DecisionGround.NO_LESSONS, reason)
    reason = f"asked for: {inputs.requested}"
    return _decision(inputs, Trigger.MANUAL, Action.TRAIN, DecisionGround.ASKED_FOR, reason, since=since)


def _on_drift(inputs: DecisionInputs, alarm: Alarm, policy: PolicySection) -> Decision:
    tried = f"; {inputs.tried}" if inputs.tried else ""
    cause = f"drift since window {alarm.window} ({alarm.reason}){tried}"

    def answer(action: Action, ground: DecisionGround, reason: str) -> Decision:
        return _decision(inputs, Trigger.DRIFT, action, ground, f"{cause}; {reason}", since=alarm.first_seq)

    if not alarm.confirmed:
        return answer(Action.WAIT, DecisionGround.UNCONFIRMED, "waits for a fresh window to confirm it")
    if not policy.triage:
        return answer(*_readiness(inputs, inputs.new_since_alarm, inputs.besides_since_alarm, policy))
    if inputs.triage is None:
        return answer(Action.WAIT, DecisionGround.IN_TRIAGE, "waits for triage: whether it hurts")
    if inputs.triage.outcome is Outcome.IGNORE:
        return answer(Action.NONE, DecisionGround.HARMLESS, inputs.triage.reason)
    if inputs.triage.outcome is Outcome.CANT_HELP:
        return answer(Action.NONE, DecisionGround.CANT_HELP, inputs.triage.reason)
    action, ground, readiness = _readiness(inputs, inputs.new_since_alarm, inputs.besides_since_alarm, policy)
    return answer(action, ground, f"{inputs.triage.reason}; {readiness}")


def _drift_is_off(inputs: DecisionInputs, alarm: Alarm) -> Decision:
    reason = f"drift since window {alarm.window} ({alarm.reason}), but policy.on_drift is off"
    return _decision(
        inputs, Trigger.DRIFT, Action.NONE, DecisionGround.ON_DRIFT_OFF, reason, since=alarm.first_seq
    )


def _on_occasion(inputs: DecisionInputs, trigger: Trigger, cause: str, policy: PolicySection) -> Decision:
    action, ground, readiness = _readiness(
        inputs, inputs.new_since_learned, inputs.besides_since_learned, policy
    )
    if action is Action.WAIT and trigger is Trigger.SCHEDULE:
        action, readiness = Action.NONE, f"{readiness}; skipped until the next scheduled time"
    return _decision(inputs, trigger, action, ground, f"{cause}; {readiness}")


def _readiness(
    inputs: DecisionInputs, new: int, besides: str | None, policy: PolicySection
) -> tuple[Action, DecisionGround, str]:
    """Return whether a training that has a cause may start now; ``besides`` are answers that teach nothing."""
    if inputs.pause is not None:
        return Action.WAIT, DecisionGround.PAUSED, f"waits: {inputs.pause}"
    if inputs.pending_work is not None:
        return Action.WAIT, DecisionGround.PENDING_WORK, f"waits for {inputs.pending_work}"
    if new < policy.min_new_lessons:
        found = f"{new} of {policy.min_new_lessons} new lessons" + (f" ({besides})" if besides else "")
        cause = f"; {inputs.one_user}" if inputs.one_user is not None else ""
        remedy = f"; {NO_LESSONS_REMEDY}" if new == 0 and besides else ""
        return Action.WAIT, DecisionGround.FEW_LESSONS, f"waits for data: {found}{cause}{remedy}"
    cooldown = _cooldown_left(inputs, policy)
    if cooldown > timedelta(0):
        said = f"waits for the cooldown: {cooldown.total_seconds():.0f} s left"
        return Action.WAIT, DecisionGround.COOLDOWN, said
    return Action.TRAIN, DecisionGround.ENOUGH_LESSONS, f"{new} new lessons"


def _cooldown_left(inputs: DecisionInputs, policy: PolicySection) -> timedelta:
    if inputs.last_ended is None:
        return timedelta(0)
    return inputs.last_ended + timedelta(seconds=policy.cooldown_s) - inputs.now


def _decision(
    inputs: DecisionInputs,
    trigger: Trigger | None,
    action: Action,
    ground: DecisionGround,
    reason: str,
    *,
    since: int | None = None,
) -> Decision:
    return Decision(
        at=inputs.now,
        trigger=trigger,
        action=action,
        reason=reason,
        since_seq=inputs.learned_until + 1 if since is None else since,
        window=inputs.window,
        requested_by=inputs.requested_by,
        ground=ground,
    )
