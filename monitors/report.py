"""Writes Evidently's report of a window as one HTML file that opens without a network."""

from pathlib import Path

import pandas as pd

from monitors.columns import ColumnsMonitor, descriptor_columns
from monitors.cycles import compared
from monitors.engine import run
from monitors.errors import NothingToReport
from monitors.mmd import TextDiscrepancyMonitor
from monitors.suite import MonitorSettings
from monitors.text_discrepancy import text_columns
from monitors.text_domain import TextDomainMonitor, domain_column
from monitors.types import Reference, Sample, Window


def html_report(window: Window, reference: Reference, path: Path, settings: MonitorSettings) -> None:
    """Write the report of all monitors. Its numbers are the verdicts' numbers, as the settings are the same.

    Raises NothingToReport where a side is empty.
    """
    if not window.samples or not reference.samples:
        raise NothingToReport("the window or the reference is empty: wait for more conversations")
    reference = compared(window, reference, cycle_days=settings.cycle_days)
    if not reference.samples:
        raise NothingToReport(
            "the reference does not know the window's time of the day: wait until it spans it"
        )
    current, past = _frame(window.samples), _frame(reference.samples)
    rate = settings.conversations_between_false_alarms
    mmd = TextDiscrepancyMonitor(
        conversations_between_false_alarms=rate, permutations=settings.permutations, seed=settings.seed,
        level=settings.confirmation_level if settings.confirming else None,
    )  # fmt: skip
    metrics = [
        mmd.metric(window),
        *ColumnsMonitor(conversations_between_false_alarms=rate).metrics(window, current, past),
        TextDomainMonitor(conversations_between_false_alarms=rate).metric(window),
    ]
    snapshot = run(metrics, window=current, reference=past)
    snapshot.save_html(str(path))


def _frame(samples: tuple[Sample, ...]) -> pd.DataFrame:
    return pd.concat([text_columns(samples), descriptor_columns(samples), domain_column(samples)], axis=1)
