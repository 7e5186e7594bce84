"""Makes Evidently's report of a window: one HTML page that needs no network."""

from collections.abc import Sequence

import pandas as pd

from monitors.errors import NothingToReport
from monitors.suite import MONITORS, MonitorSettings, build
from monitors.types import Finding, Reference, Verdict, Window
from monitors.window.columns import ColumnsMonitor, descriptor_columns
from monitors.window.engine import Metric, run
from monitors.window.mmd import TextDiscrepancyMonitor
from monitors.window.text_discrepancy import text_columns
from monitors.window.text_domain import TextDomainMonitor, domain_column

#: Around the data of the page. Evidently writes it as JSON, which has no line break within.
_DATA_BEGINS, _DATA_ENDS = "<script>", "</script>\n    </head>"


def evidently_page(
    window: Window, reference: Reference, verdicts: Sequence[Verdict], settings: MonitorSettings
) -> str:
    """Return the report of the monitors that came to a verdict. Its numbers are theirs, as the settings are the same.

    Raises NothingToReport where none could tell.
    """
    told = {verdict.monitor for verdict in verdicts if verdict.finding is not Finding.INCONCLUSIVE}
    if not told & {*MONITORS}:
        raise NothingToReport("no monitor could tell anything: wait for more conversations")
    past, current = (
        pd.concat(side, axis=1)
        for side in zip(
            *(columns(reference, window) for columns in (text_columns, descriptor_columns, domain_column)),
            strict=True,
        )
    )
    metrics: list[Metric] = []
    for name in MONITORS:
        monitor = build(name, settings) if name in told else None
        if isinstance(monitor, ColumnsMonitor):
            metrics += monitor.metrics(window, current, past)
        elif isinstance(monitor, TextDiscrepancyMonitor | TextDomainMonitor):
            metrics.append(monitor.metric(window))
    snapshot = run(metrics, window=current, reference=past)
    return _harmless(snapshot.get_html_str(as_iframe=False))


def _harmless(page: str) -> str:
    """Keep texts in the page's data from ending the script that holds it: Evidently writes them as they are."""
    head, begins, rest = page.partition(_DATA_BEGINS)
    data, ends, tail = rest.partition(_DATA_ENDS)
    return "".join([head, begins, data.replace("<", r"\u003c"), ends, tail])
