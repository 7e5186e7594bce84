"""Decides whether to train: a pure function of the situation, with a reason either way."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.config.settings import PolicySection
from daemon.domain.alarms import Alarm, Triage
from daemon.domain.decisions import Action, Decision, Trigger
from monitors.types import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """Everything that a decision depends on. Counts are of conversations that may be trained on."""

    now: datetime
    window: int | None  # the window just judged, if there is one
    alarm: Alarm | None  # the open alarm: no training and no decision has answered it
    new_since_alarm: int
    learned_until: int  # seq of the newest conversation that a finished run has learned from
    new_since_learned: int
    triage: Triage | None = None  # of the alarm
    requested: str | None = None  # the reason that an operator gave for a manual request
    requested_by: str | None = None
    scheduled: bool = False  # a scheduled time has come
    pause: str | None = None  # in words, who paused training and why
    pending_work: str | None = None  # a run, or a candidate at the gate
    last_ended: datetime | None = None  # when the last run ended
    one_user: str | None = None  # in words, how one user id keeps conversations from being trained on


def decide(situation: Situation, policy: PolicySection) -> Decision:
    """Decide by the strongest trigger: an operator's request, drift, the schedule, the volume."""
    if situation.requested is not None:
        return _on_request(situation)
    if situation.alarm is not None and policy.on_drift:
        return _on_drift(situation, situation.alarm, policy)
    if situation.scheduled:
        return _on_occasion(situation, Trigger.SCHEDULE, "the scheduled time has come", policy)
    wanted = policy.after_conversations
    if wanted is not None and situation.new_since_learned >= wanted:
        reason = f"{situation.new_since_learned} new conversations, {wanted} wanted"
        return _on_occasion(situation, Trigger.VOLUME, reason, policy)
    if situation.alarm is not None:
        return _drift_is_off(situation, situation.alarm)
    return _decision(situation, None, Action.NONE, "no drift and no other reason to train")


def _on_request(situation: Situation) -> Decision:
    """An operator's request overrules cooldown and minimum, but needs at least one conversation to learn from."""
    since = situation.alarm.first_seq if situation.alarm else situation.learned_until + 1
    new = situation.new_since_alarm if situation.alarm else situation.new_since_learned
    if new == 0:
        reason = "asked for, but there is no conversation to learn from yet"
        return _decision(situation, Trigger.MANUAL, Action.NONE, reason)
    return _decision(
        situation, Trigger.MANUAL, Action.TRAIN, f"asked for: {situation.requested}", since=since
    )


def _on_drift(situation: Situation, alarm: Alarm, policy: PolicySection) -> Decision:
    cause = f"drift since window {alarm.window} ({alarm.reason})"

    def answer(action: Action, reason: str) -> Decision:
        return _decision(situation, Trigger.DRIFT, action, f"{cause}; {reason}", since=alarm.first_seq)

    if not alarm.confirmed:
        return answer(Action.WAIT, "waits for a fresh window to confirm it")
    if not policy.triage:
        return answer(*_readiness(situation, situation.new_since_alarm, policy))
    if situation.triage is None:
        return answer(Action.WAIT, "waits for triage: whether it hurts")
    if situation.triage.outcome in (Outcome.IGNORE, Outcome.CANT_HELP):
        return answer(Action.NONE, situation.triage.reason)
    action, readiness = _readiness(situation, situation.new_since_alarm, policy)
    return answer(action, f"{situation.triage.reason}; {readiness}")


def _drift_is_off(situation: Situation, alarm: Alarm) -> Decision:
    reason = f"drift since window {alarm.window} ({alarm.reason}), but policy.on_drift is off"
    return _decision(situation, Trigger.DRIFT, Action.NONE, reason, since=alarm.first_seq)


def _on_occasion(situation: Situation, trigger: Trigger, cause: str, policy: PolicySection) -> Decision:
    action, readiness = _readiness(situation, situation.new_since_learned, policy)
    if action is Action.WAIT and trigger is Trigger.SCHEDULE:
        action, readiness = Action.NONE, f"{readiness}; skipped until the next scheduled time"
    return _decision(situation, trigger, action, f"{cause}; {readiness}")


def _readiness(situation: Situation, new: int, policy: PolicySection) -> tuple[Action, str]:
    """Return whether a training that has a cause may start now."""
    if situation.pause is not None:
        return Action.WAIT, f"waits: {situation.pause}"
    if situation.pending_work is not None:
        return Action.WAIT, f"waits for {situation.pending_work}"
    if new < policy.min_new_conversations:
        cause = f"; {situation.one_user}" if situation.one_user is not None else ""
        return (
            Action.WAIT,
            f"waits for data: {new} of {policy.min_new_conversations} new conversations{cause}",
        )
    cooldown = _cooldown_left(situation, policy)
    if cooldown > timedelta(0):
        return Action.WAIT, f"waits for the cooldown: {cooldown.total_seconds():.0f} s left"
    return Action.TRAIN, f"{new} new conversations"


def _cooldown_left(situation: Situation, policy: PolicySection) -> timedelta:
    if situation.last_ended is None:
        return timedelta(0)
    return situation.last_ended + timedelta(seconds=policy.cooldown_s) - situation.now


def _decision(
    situation: Situation, trigger: Trigger | None, action: Action, reason: str, *, since: int | None = None
) -> Decision:
    return Decision(
        at=situation.now,
        trigger=trigger,
        action=action,
        reason=reason,
        since_seq=situation.learned_until + 1 if since is None else since,
        window=situation.window,
        requested_by=situation.requested_by,
    )
