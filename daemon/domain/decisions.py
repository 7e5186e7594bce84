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
