"""Stores whether a drift is a return to an earlier reference, as a row of the verdicts."""

from collections.abc import Mapping

from daemon.ledger.windows import VerdictRow
from monitors.types import Finding
from monitors.window.recurrence_result import Recurrence, RecurrenceResult

#: The monitor's name in these rows.
RECURRENCE = "recurrence"
#: The finding as which each outcome is stored.
FINDINGS: Mapping[Recurrence, Finding] = {
    Recurrence.RETURNED: Finding.STABLE,
    Recurrence.NEW: Finding.DRIFT,
    Recurrence.INCONCLUSIVE: Finding.INCONCLUSIVE,
}


def recurrence_row(window: int, result: RecurrenceResult) -> VerdictRow:
    """Return the row for a comparison with earlier references. It never raises or confirms an alarm."""
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
