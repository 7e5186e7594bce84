"""Decisions to train, or not to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Trigger(StrEnum):
    """What may start a training."""

    DRIFT = "drift"
    VOLUME = "volume"
    SCHEDULE = "schedule"
    MANUAL = "manual"


class Action(StrEnum):
    """What was decided. WAIT: yes, but not yet."""

    TRAIN = "train"
    WAIT = "wait"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Train, or do not train, and the reason; recorded either way."""

    at: datetime
    trigger: Trigger | None  # None: nothing asked for a training
    action: Action
    reason: str
    since_seq: int  # new conversations are those from here on
    window: int | None = None
    requested_by: str | None = None
    id: int | None = None  # given by the ledger
