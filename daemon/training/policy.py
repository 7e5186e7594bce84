"""Decides whether to train: a pure function of the situation, with a reason either way."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.domain.alarms import Alarm, Triage
from daemon.domain.decisions import Action, Decision, Trigger
from monitors.types import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicySettings:
    """When to train. See the section ``policy`` of the settings."""

    on_drift: bool
    after_conversations: int | None
    triage: bool
    min_new_conversations: int
    cooldown: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """All that a decision depends on. Counts are of conversations that may be trained on."""

    now: datetime
    window: int | None  # the window just judged, if that is the occasion
    alarm: Alarm | None  # drift that nothing has answered
    fresh_since_alarm: int
    learned_until: int  # seq of the newest conversation a finished run has learned from
    fresh_since_learned: int
    triage: Triage | None = None  # of the alarm, once it is known whether the change hurts
    wish: str | None = None  # an operator's reason
    wished_by: str | None = None
    scheduled: bool = False  # a scheduled time has come
    busy: str | None = None  # what goes on already: a run, or a candidate at the gate
    last_ended: datetime | None = None  # when the last run ended


def decide(situation: Situation, settings: PolicySettings) -> Decision:
    """Decide by the strongest trigger: an operator's wish, drift, the schedule, the volume."""
    if situation.wish is not None:
        return _on_wish(situation)
    if situation.alarm is not None and settings.on_drift:
        return _on_drift(situation, situation.alarm, settings)
    if situation.scheduled:
        return _on_occasion(situation, Trigger.SCHEDULE, "the scheduled time has come", settings)
    wanted = settings.after_conversations
    if wanted is not None and situation.fresh_since_learned >= wanted:
        reason = f"{situation.fresh_since_learned} new conversations, {wanted} wanted"
        return _on_occasion(situation, Trigger.VOLUME, reason, settings)
    if situation.alarm is not None:
        return _drift_is_off(situation, situation.alarm)
    return _answer(situation, None, Action.NONE, "no drift and no other reason to train")


def _on_wish(situation: Situation) -> Decision:
    """An operator's wish overrules cooldown and minimum, but can't learn from nothing."""
    since = situation.alarm.first_seq if situation.alarm else situation.learned_until + 1
    fresh = situation.fresh_since_alarm if situation.alarm else situation.fresh_since_learned
    if fresh == 0:
        return _answer(
            situation,
            Trigger.MANUAL,
            Action.NONE,
            "asked for, but there is no conversation to learn from yet",
        )
    return _answer(situation, Trigger.MANUAL, Action.TRAIN, f"asked for: {situation.wish}", since=since)


def _on_drift(situation: Situation, alarm: Alarm, settings: PolicySettings) -> Decision:
    reason = f"drift since window {alarm.window} ({alarm.reason})"
    if not alarm.confirmed:
        more = "waits for a fresh window to confirm it"
        return _answer(situation, Trigger.DRIFT, Action.WAIT, f"{reason}; {more}", since=alarm.first_seq)
    if settings.triage:
        if situation.triage is None:
            more = "waits for triage: whether it hurts"
            return _answer(situation, Trigger.DRIFT, Action.WAIT, f"{reason}; {more}", since=alarm.first_seq)
        reason = f"{reason}; {situation.triage.reason}"
        if situation.triage.outcome in (Outcome.IGNORE, Outcome.CANT_HELP):
            return _answer(situation, Trigger.DRIFT, Action.NONE, reason, since=alarm.first_seq)
    action, more = _readiness(situation, situation.fresh_since_alarm, settings)
    return _answer(situation, Trigger.DRIFT, action, f"{reason}; {more}", since=alarm.first_seq)


def _drift_is_off(situation: Situation, alarm: Alarm) -> Decision:
    reason = f"drift since window {alarm.window} ({alarm.reason}), but policy.on_drift is off"
    return _answer(situation, Trigger.DRIFT, Action.NONE, reason, since=alarm.first_seq)


def _on_occasion(situation: Situation, trigger: Trigger, reason: str, settings: PolicySettings) -> Decision:
    action, more = _readiness(situation, situation.fresh_since_learned, settings)
    if action is Action.WAIT and trigger is Trigger.SCHEDULE:
        action, more = Action.NONE, f"{more}; skipped until the next scheduled time"
    return _answer(situation, trigger, action, f"{reason}; {more}")


def _readiness(situation: Situation, fresh: int, settings: PolicySettings) -> tuple[Action, str]:
    """Say whether a training that has a reason may start now."""
    if situation.busy is not None:
        return Action.WAIT, f"waits for {situation.busy}"
    if fresh < settings.min_new_conversations:
        return Action.WAIT, f"waits for data: {fresh} of {settings.min_new_conversations} new conversations"
    if situation.last_ended is not None and (
        left := situation.last_ended + settings.cooldown - situation.now
    ) > timedelta(0):
        return Action.WAIT, f"waits for the cooldown: {left.total_seconds():.0f} s left"
    return Action.TRAIN, f"{fresh} new conversations"


def _answer(
    situation: Situation, trigger: Trigger | None, action: Action, reason: str, *, since: int | None = None
) -> Decision:
    return Decision(
        at=situation.now,
        trigger=trigger,
        action=action,
        reason=reason,
        since_seq=situation.learned_until + 1 if since is None else since,
        window=situation.window,
        requested_by=situation.wished_by,
    )
