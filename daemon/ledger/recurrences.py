"""Keeps whether an earlier reference fits again: as a row among the verdicts, under a monitor's name and finding."""

from collections.abc import Mapping

from daemon.ledger.windows import VerdictRow
from monitors.types import Finding
from monitors.window.recurrence_result import Recurrence, RecurrenceResult

#: The monitor's name of these rows.
RECURRENCE = "recurrence"
#: The finding under which each outcome is stored.
FINDINGS: Mapping[Recurrence, Finding] = {
    Recurrence.RETURNED: Finding.STABLE,
    Recurrence.NEW: Finding.DRIFT,
    Recurrence.INCONCLUSIVE: Finding.INCONCLUSIVE,
}


def recurrence_row(window: int, result: RecurrenceResult) -> VerdictRow:
    """Return the row of a comparison with earlier references. It triggers nothing."""
    return VerdictRow(
        window=window,
        monitor=RECURRENCE,
        finding=FINDINGS[result.outcome],
        score=result.score,
        threshold=result.threshold,
        reason=result.reason,
        numbers=dict(result.numbers),
        triggers=False,
    )
