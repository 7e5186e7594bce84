"""The screen of the benchmark."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from daemon.cli.render.layout import listed
from monitors.bench.benchmark import Result
from monitors.bench.goals import Goal, number
from monitors.bench.measures import ALL, Delay
from monitors.bench.streams import Kind


def bench_screen(result: Result, written: Sequence[Path]) -> RenderableType:
    """Show the goals, then a line for each detector."""
    notes = [Text(f"left out: {why}", style="yellow") for why in result.left_out]
    files = Text("written: " + ", ".join(str(path) for path in written))
    return Group(_goals(result.goals), Text(), _detectors(result), *notes, files)


def _goals(goals: Sequence[Goal]) -> Table:
    table = _table("goal", "wanted", "measured", "")
    for goal in goals:
        verdict = Text("met", style="green") if goal.met else Text("missed", style="bold red")
        table.add_row(goal.name, goal.wanted, goal.measured, verdict)
    return table


def _detectors(result: Result) -> Table:
    """Show false alarms without a change, median delays after abrupt ones, and the cost."""
    delays = {(d.detector, d.share): d for d in result.delays if d.family == ALL and d.kind is Kind.ABRUPT}
    shares = sorted({share for _, share in delays}, reverse=True)
    costs = {cost.detector: cost.cpu_us for cost in result.costs}
    table = _table(
        "detector", "false alarms in 10,000", *(f"delay at {share:.0%}" for share in shares), "µs each"
    )
    for rate in result.false_alarms:
        if rate.streams == ALL:
            cells = [_delay(delays.get((rate.detector, share))) for share in shares]
            alarms = f"{rate.per_10_000:.2f} ({rate.alarms} in {rate.conversations:,})"
            table.add_row(rate.detector, alarms, *cells, f"{costs[rate.detector]:,.0f}")
    return table


def _delay(found: Delay | None) -> str:
    """Show median, 90th percentile, and how many were found of how many trials."""
    if found is None:
        return "-"
    return (
        f"{number(found.median)} / {number(found.p90)} ({round(found.found * found.trials)}/{found.trials})"
    )


def _table(*titles: str) -> Table:
    return listed(*titles)
