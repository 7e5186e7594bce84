"""Drift alarms and their triage."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitors.types import Aspect, Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """Drift that no training has answered yet, as of the first window that showed it."""

    window: int
    first_seq: int  # the first conversation of the change
    reason: str
    at: datetime
    confirmed: bool = True  # by a fresh window; only confirmed alarms start trainings
    leading: Aspect | None = None  # what changed most, according to the detector


@dataclass(frozen=True, kw_only=True, slots=True)
class Triage:
    """Whether the change behind a confirmed alarm hurts, and what to do about it."""

    window: int  # the alarm's window
    reference_id: int  # the reference that the alarm was raised against
    since_seq: int  # the estimated start of the change
    version: str  # the live version
    outcome: Outcome
    reason: str
    numbers: Mapping[str, float]
    examples: tuple[str, ...]  # ids of conversations that illustrate the reason
    at: datetime
    decision_id: int | None = None  # the latest decision that used it
    id: int | None = None  # assigned by the ledger
