"""Makes Evidently's report of a window: one HTML page that loads nothing from the network."""

from collections.abc import Sequence

import pandas as pd

from monitors.errors import NothingToReport
from monitors.settings import MONITORS, MonitorSettings
from monitors.types import Finding, Reference, Verdict, Window
from monitors.window.columns import ColumnsMonitor, descriptor_columns
from monitors.window.engine import Metric, run
from monitors.window.mmd import TextDiscrepancyMonitor
from monitors.window.monitors_by_name import build
from monitors.window.text_discrepancy import text_columns
from monitors.window.text_domain import TextDomainMonitor, domain_column

#: Markers around the data of the page. Evidently writes the data as JSON without line breaks.
_DATA_BEGINS, _DATA_ENDS = "<script>", "</script>\n    </head>"


def evidently_page(
    window: Window, reference: Reference, verdicts: Sequence[Verdict], settings: MonitorSettings
) -> str:
    """Return the report of the monitors that reached a conclusive verdict. It shows the verdicts' own numbers.

    Raises NothingToReport where every verdict is inconclusive.
    """
    conclusive = {verdict.monitor for verdict in verdicts if verdict.finding is not Finding.INCONCLUSIVE}
    if not conclusive & {*MONITORS}:
        raise NothingToReport("every verdict is inconclusive: wait for more conversations")
    past, current = (
        pd.concat(side, axis=1)
        for side in zip(
            *(columns(reference, window) for columns in (text_columns, descriptor_columns, domain_column)),
            strict=True,
        )
    )
    metrics: list[Metric] = []
    for name in MONITORS:
        monitor = build(name, settings) if name in conclusive else None
        if isinstance(monitor, ColumnsMonitor):
            metrics += monitor.metrics(window, current, past)
        elif isinstance(monitor, TextDiscrepancyMonitor | TextDomainMonitor):
            metrics.append(monitor.metric(window))
    snapshot = run(metrics, window=current, reference=past)
    return _escaped(snapshot.get_html_str(as_iframe=False))


def _escaped(page: str) -> str:
    """Escape the page's data, so that no text can end the script element that holds it; Evidently does not."""
    head, begins, rest = page.partition(_DATA_BEGINS)
    data, ends, tail = rest.partition(_DATA_ENDS)
    return "".join([head, begins, data.replace("<", r"\u003c"), ends, tail])
