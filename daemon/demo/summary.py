"""The tables at the end of a demo."""

from collections.abc import Mapping

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from daemon.demo.checks import Check
from daemon.demo.durations import duration_text
from daemon.demo.evidence import AnswerFact, LoopFacts, RollbackFact
from daemon.demo.report import Outcome
from registry.types import Measure, SliceReport


def answers(found: tuple[AnswerFact, ...], *, live: str, base: str) -> RenderableType:
    """Show each question with the reference answer and the answers of both versions."""
    tables: list[RenderableType] = []
    for answer in found:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True, min_width=10)
        table.add_column(overflow="fold")
        table.add_row("question", Text(answer.question, style="bold"))
        table.add_row("reference", Text(answer.reference))
        table.add_row(base, Text(answer.base, style="yellow"))
        table.add_row(live, Text(answer.live, style="green"))
        tables += [table, Text("")]
    return Group(*tables)


def summary(outcome: Outcome) -> RenderableType:
    """Show the events, the durations and the checks."""
    parts: list[RenderableType] = []
    loop = outcome.findings.loop
    if loop is not None:
        parts += [_happened(loop, outcome.findings.rollback), Text("")]
        if loop.gate is not None:
            parts += [_losses(loop.gate.slices), Text("")]
    parts += [_times(outcome.seconds), Text(""), _checks(outcome.checks)]
    return Group(*parts)


def _happened(loop: LoopFacts, rollback: RollbackFact | None) -> Table:
    stream = loop.stream
    rows = [
        ("true change", f"at conversation {stream.change_at}" if stream.change_at else "did not arrive"),
        (
            "detected",
            f"at conversation {stream.alarm.last}, {stream.delay} after the change ({duration_text(stream.delay_s)})"
            if stream.alarm
            else "no",
        ),
        (
            "false alarms",
            f"{len(stream.false_alarms)} in {stream.stable_before + len(stream.false_alarms)} windows before",
        ),
        (
            "versions",
            " → ".join(entry.version for entry in loop.promotions)
            + (f" → {rollback.live_history} (rolled back)" if rollback else ""),
        ),
    ]
    if rollback is not None:
        moments = f"live.json after {duration_text(rollback.pointer_s)}, metrics after {duration_text(rollback.metrics_s)}"
        rows.append(("rollback", f"{moments}, counted from the start of the command"))
    table = Table.grid(padding=(0, 2))
    for name, text in rows:
        table.add_row(Text(name, style="bold"), text)
    return table


def _losses(slices: tuple[SliceReport, ...]) -> Table:
    table = Table(
        title="held-out loss, nats per assistant token", title_justify="left", title_style="bold", box=SIMPLE
    )
    for heading in ("", "before", "after", "difference", "bounds", "on"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for found in (each for each in slices if each.measure is Measure.LOSS):
        table.add_row(
            found.name,
            f"{found.live_loss:.3f}",
            f"{found.candidate_loss:.3f}",
            f"{found.difference:+.3f}",
            f"{found.lower:+.3f} to {found.upper:+.3f}",
            str(found.conversations),
        )
    return table


def _times(seconds: Mapping[str, float]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in seconds.items():
        table.add_row(Text(name.replace("_", " "), style="bold"), Text(duration_text(value), justify="right"))
    return table


def _checks(checks: tuple[Check, ...]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark = Text("✓", style="green") if check.passed else Text("✗", style="bold red")
        table.add_row(mark, Text.assemble(check.name, (f": {check.evidence}", "dim")))
    return table
