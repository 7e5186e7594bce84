"""Decisions whether to train."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Trigger(StrEnum):
    """What can start a training."""

    DRIFT = "drift"
    VOLUME = "volume"
    SCHEDULE = "schedule"
    MANUAL = "manual"


class Action(StrEnum):
    """What was decided. WAIT: train, but not yet."""

    TRAIN = "train"
    WAIT = "wait"
    NONE = "none"


class DecisionGround(StrEnum):
    """What tipped a decision; a label of ``retuned_last_decision_timestamp_seconds``. The reason says it in words."""

    ASKED_FOR = "asked_for"  # an operator's request, which trains
    NO_LESSONS = "no_lessons"  # an operator's request, with nothing to learn
    NO_CAUSE = "no_cause"  # no drift and no other reason to train
    ON_DRIFT_OFF = "on_drift_off"  # drift, but policy.on_drift is off
    UNCONFIRMED = "unconfirmed"  # waits for a fresh window to confirm the alarm
    IN_TRIAGE = "in_triage"  # waits to know whether the change hurts
    HARMLESS = "harmless"  # triage: it does not hurt
    CANT_HELP = "cant_help"  # triage: training would not help
    PAUSED = "paused"  # waits for the operator who paused training
    PENDING_WORK = "pending_work"  # waits for a run or a candidate
    FEW_LESSONS = "few_lessons"  # waits for more lessons
    COOLDOWN = "cooldown"  # waits for policy.cooldown_s to pass
    ENOUGH_LESSONS = "enough_lessons"  # there is a cause, and nothing to wait for: it trains
    HELD_BACK = "held_back"  # the training set was unfit: waits for more lessons or an operator


#: What a decision waits for that only a person can do; stands in its reason.
FOR_AN_OPERATOR = "an operator"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Whether to train, and why; recorded in either case."""

    at: datetime
    trigger: Trigger | None  # None: nothing called for a training
    action: Action
    reason: str
    since_seq: int  # the first of the new conversations
    window: int | None = None
    requested_by: str | None = None
    id: int | None = None  # assigned by the ledger
    ground: DecisionGround | None = field(default=None, compare=False)  # not stored: None once read back

    @property
    def waits_for_operator(self) -> bool:
        """Whether it waits for somebody to look at what would be learned."""
        return self.action is Action.WAIT and f"waits for {FOR_AN_OPERATOR}" in self.reason
