"""Evidently's report and our verdicts show the same numbers."""

import re

import pytest

from monitors.errors import NothingToReport
from monitors.explanation.evidently_page import evidently_page
from monitors.settings import MONITORS, MonitorSettings
from monitors.types import Finding, Reference, Window
from monitors.window.columns import ColumnsMonitor, descriptor_columns
from monitors.window.engine import run
from monitors.window.mmd import TextDiscrepancyMonitor
from monitors.window.monitors_by_name import build
from monitors.window.text_discrepancy import text_columns
from tests.factories.monitors import a_reference, a_sample, a_window, made_of

TEA, BANK = ["tea", "leaf", "pot", "cup"], ["loan", "fee", "bank", "card"]


@pytest.mark.parametrize(("words", "status"), [(TEA, "SUCCESS"), (BANK, "FAIL")])
def test_the_report_has_the_verdict_s_score_threshold_and_outcome(words: list[str], status: str) -> None:
    window, reference = a_window(made_of(words, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2))
    monitor = TextDiscrepancyMonitor()
    verdict = monitor.judge(window, reference)

    past, current = text_columns(reference, window)
    report = run([monitor.metric(window)], window=current, reference=past).dict()

    (metric,), (test,) = report["metrics"], report["tests"]
    assert metric["value"] == verdict.score
    assert test["metric_config"]["params"]["tests"][0]["threshold"] == verdict.threshold
    assert test["status"].value == status
    assert (verdict.finding is Finding.DRIFT) == (status == "FAIL")


def test_the_report_has_each_column_s_p_value() -> None:
    window, reference = a_window(made_of(BANK, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2))
    past, current = descriptor_columns(reference, window)
    monitor = ColumnsMonitor()
    verdict = monitor.judge(window, reference)

    report = run(monitor.metrics(window, current, past), window=current, reference=past).dict()

    shown = {f"p_{m['config']['column']}": m["value"] for m in report["metrics"]}
    assert shown == verdict.numbers


def report_html(window: Window, reference: Reference) -> str:
    verdicts = [build(name, MonitorSettings()).judge(window, reference) for name in MONITORS]
    return evidently_page(window, reference, verdicts, MonitorSettings())


def test_the_html_report_shows_the_score_and_needs_no_network() -> None:
    window, reference = a_window(made_of(BANK, 50, seed=1)), a_reference(made_of(TEA, 200, seed=2))
    verdict = TextDiscrepancyMonitor().judge(window, reference)

    html = report_html(window, reference)

    assert f"{verdict.score:.3f}" in html
    assert re.findall(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)\s*=\s*"?(?:https?:)?//', html) == []


def test_the_html_report_is_written_for_chinese_and_for_users_who_return() -> None:
    window = [a_sample(f"w{i}", "退款，订单", group=f"u{i // 3}") for i in range(60)]
    reference = [a_sample(f"r{i}", "泡茶，绿茶", group=f"u{i // 3}") for i in range(200)]

    assert len(report_html(a_window(window), a_reference(reference))) > 100_000


def test_what_no_monitor_could_tell_is_not_in_the_report() -> None:
    """An alarm closes its window early: Evidently would show a score where our verdict is that there is too little."""
    with pytest.raises(NothingToReport, match="wait for more conversations"):
        report_html(a_window(made_of(BANK, 22, seed=1)), a_reference(made_of(TEA, 200, seed=2)))
    with pytest.raises(NothingToReport, match="wait for more conversations"):
        report_html(a_window([]), a_reference([]))
