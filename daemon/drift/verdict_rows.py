"""Verdicts as the ledger stores them, and the finding that they come to."""

from collections.abc import Sequence

from daemon.ledger.windows import VerdictRow
from monitors.sequential.pending_alarm import DETECTOR
from monitors.settings import MonitorSettings
from monitors.types import Finding, Verdict


def verdict_row(window: int, verdict: Verdict, settings: MonitorSettings) -> VerdictRow:
    """Return a verdict on a window. The detector's raises an alarm; while one is pending, other monitors confirm it."""
    confirms = settings.confirming and verdict.monitor in settings.confirm_by
    return VerdictRow(
        window=window,
        monitor=verdict.monitor,
        finding=verdict.finding,
        score=verdict.score,
        threshold=verdict.threshold,
        reason=verdict.reason,
        numbers=dict(verdict.numbers),
        triggers=confirms or (verdict.monitor == DETECTOR and not settings.confirming),
    )


def overall_finding(rows: Sequence[VerdictRow]) -> Finding:
    """Return what the verdicts that trigger come to: drift if any found it, stable if all did, else inconclusive."""
    found = {row.finding for row in rows if row.triggers}
    if Finding.DRIFT in found:
        return Finding.DRIFT
    return Finding.STABLE if found == {Finding.STABLE} else Finding.INCONCLUSIVE
