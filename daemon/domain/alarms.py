"""Alarms, and whether the change behind one hurts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitors.types import Aspect, Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """The first window of an unbroken wish to train: drift that no training has answered yet."""

    window: int
    first_seq: int  # the change is in conversations from here on
    reason: str
    at: datetime
    confirmed: bool = True  # by a fresh window; until then it is no reason to train
    leading: Aspect | None = None  # what changed most, by the detector


@dataclass(frozen=True, kw_only=True, slots=True)
class Triage:
    """Whether a confirmed alarm's change hurts, and what is to be done about it."""

    window: int  # of the alarm
    reference_id: int  # that it was raised against
    since_seq: int  # about where the change is
    version: str  # that was live
    outcome: Outcome
    reason: str
    numbers: Mapping[str, float]
    examples: tuple[str, ...]  # ids of conversations that show the reason
    at: datetime
    decision_id: int | None = None  # the last decision that took it into account
    id: int | None = None  # given by the ledger
