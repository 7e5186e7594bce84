"""Decisions whether to train."""

from dataclasses import dataclass
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

    @property
    def waits_for_operator(self) -> bool:
        """Whether it waits for somebody to look at what would be learned."""
        return self.action is Action.WAIT and f"waits for {FOR_AN_OPERATOR}" in self.reason
