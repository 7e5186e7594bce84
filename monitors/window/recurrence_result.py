"""The answer to whether a changed window is a return to an earlier reference. Loads nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Recurrence(StrEnum):
    """Whether an earlier reference fits a window that the current one does not."""

    RETURNED = "returned"  # one fits, and surely better than the current reference
    NEW = "new"  # none fits
    INCONCLUSIVE = "inconclusive"  # one fits, but not surely better; or there is too little to compare


@dataclass(frozen=True, kw_only=True, slots=True)
class RecurrenceResult:
    """What the comparison of one window with earlier references found."""

    window_id: str
    outcome: Recurrence
    #: Distance from the nearest earlier reference; above the threshold the two differ.
    score: float
    #: One sentence that names the earlier reference, used unchanged in logs and reports.
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    threshold: float = 1.0
