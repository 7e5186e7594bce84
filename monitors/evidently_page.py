"""Makes Evidently's report of a window: one HTML page that needs no network."""

import pandas as pd

from monitors.columns import ColumnsMonitor, descriptor_columns
from monitors.engine import run
from monitors.errors import NothingToReport
from monitors.mmd import TextDiscrepancyMonitor
from monitors.suite import MonitorSettings
from monitors.text_discrepancy import text_columns
from monitors.text_domain import TextDomainMonitor, domain_column
from monitors.types import Reference, Window

#: Around the data of the page. Evidently writes it as JSON, which has no line break within.
_DATA_BEGINS, _DATA_ENDS = "<script>", "</script>\n    </head>"


def evidently_page(window: Window, reference: Reference, settings: MonitorSettings) -> str:
    """Return the report of all monitors. Its numbers are the verdicts' numbers, as the settings are the same.

    Raises NothingToReport where a side is empty.
    """
    if not window.samples or not reference.samples:
        raise NothingToReport("the window or the reference is empty: wait for more conversations")
    past, current = (
        pd.concat([text_columns(samples), described, domain_column(samples)], axis=1)
        for samples, described in zip(
            (reference.samples, window.samples), descriptor_columns(reference, window), strict=True
        )
    )
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
    return _harmless(snapshot.get_html_str(as_iframe=False))


def _harmless(page: str) -> str:
    """Keep texts in the page's data from ending the script that holds it: Evidently writes them as they are."""
    head, begins, rest = page.partition(_DATA_BEGINS)
    data, ends, tail = rest.partition(_DATA_ENDS)
    return "".join([head, begins, data.replace("<", r"\u003c"), ends, tail])
