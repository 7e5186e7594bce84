"""Screens of the registry: the list of versions, one version, the promotion log, a gate's numbers."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from daemon.cli.render.figures import bytes_, coloured, figure, moment, source_lines
from daemon.ledger.opinions import Opinion
from daemon.views.versions import CheckedHistory, VersionDetails, VersionRow
from registry.types import GateReport, Promotion

_DIGEST_SHOWN = 12


def versions_screen(rows: Sequence[VersionRow]) -> RenderableType:
    """Show the versions, the newest first."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("version", "", "created", "parent", "gate"):
        table.add_column(title, no_wrap=title != "created")
    table.add_column("size", justify="right")
    table.add_column("digest")
    for row in rows:
        table.add_row(
            str(row.name), _marks(row), moment(row.created_at), str(row.parent or ""),
            coloured(row.gate) if row.gate else "", bytes_(row.size_bytes), row.digest[:_DIGEST_SHOWN],
        )  # fmt: skip
    return table


def version_screen(details: VersionDetails) -> RenderableType:
    """Show everything about a version."""
    version, lineage = details.version, details.version.lineage
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    facts: list[tuple[str, RenderableType]] = [
        ("version", Text.assemble(str(version.name), " ", _marks(details.row))),
        ("created", moment(version.created_at)),
        ("artifact", f"{version.artifact or 'none'} ({bytes_(version.size_bytes)})"),
        ("digest", version.digest),
        ("base", f"{lineage.base} ({lineage.base_digest[:_DIGEST_SHOWN]})"),
        ("parent", str(lineage.parent or "the base model")),
        ("run", version.run or "none"),
        ("method", f"{lineage.method}, seed {lineage.seed}"),
        ("settings", _pairs(lineage.settings.items())),
        ("packages", _pairs(lineage.packages.items())),
        (
            "learned from",
            f"{lineage.conversations} conversations, data digest {lineage.data_digest[:_DIGEST_SHOWN]}",
        ),
        *(("", line) for line in source_lines(lineage.sources)),
        ("feedback", _feedback(details.feedback)),
    ]
    for fact in facts:
        table.add_row(*fact)
    gates = [gate_screen(report) for report in details.gate_reports]
    log = [history_table(details.promotions)] if details.promotions else []
    return Group(table, *gates, *log)


def gate_screen(report: GateReport) -> RenderableType:
    """Show what the gate said, with the numbers of each slice."""
    title = Text.assemble(
        f"gate, look {report.look}: ", coloured(report.verdict), f": {report.reason} (alpha {report.alpha:g})"
    )
    table = Table(box=None, padding=(0, 2, 0, 2))
    for column in (
        "slice",
        "role",
        "conversations",
        "users",
        "live",
        "candidate",
        "difference",
        "bounds",
        "",
    ):
        table.add_column(column)
    for found in report.slices:
        needed = f" (needs {found.needed} more)" if found.needed else ""
        table.add_row(
            found.name, found.role, str(found.conversations), str(found.clusters), figure(found.live_loss),
            figure(found.candidate_loss), f"{found.difference:+.4f}", f"{found.lower:+.4f} to {found.upper:+.4f}",
            Text.assemble(coloured(found.verdict), needed),
        )  # fmt: skip
    return Group(title, table)


def history_screen(history: CheckedHistory) -> RenderableType:
    """Show the promotion log and whether it is whole."""
    whole = (
        Text(
            f"the log is whole: {len(history.entries)} entries, each sealed by the digest of the one before",
            "green",
        )
        if history.intact
        else Text(f"the log is damaged: {history.problem}", "bold red")
    )
    return Group(history_table(history.entries), whole)


def history_table(entries: Iterable[Promotion]) -> Table:
    """Show log entries, the oldest first."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("#", "when", "what", "version", "instead of", "by", "why"):
        table.add_column(title, no_wrap=title in {"#", "when", "what", "version"})
    for entry in entries:
        forced = " (forced)" if entry.forced else ""
        table.add_row(
            str(entry.position), moment(entry.at), f"{entry.kind}{forced}", str(entry.version),
            str(entry.previous or ""), f"{entry.by.kind} {entry.by.name}", entry.reason,
        )  # fmt: skip
    return table


def _feedback(opinion: Opinion) -> str:
    if opinion.mean is None:
        return "none on its answers yet"
    return f"{opinion.mean:+.2f} on average (-1 worst, 1 best), on {opinion.conversations} of the conversations it answered"


def _marks(row: VersionRow) -> Text:
    marks = [
        name
        for name, holds in (
            ("live", row.live),
            ("candidate", row.candidate),
            ("base", row.base),
            ("tainted", row.tainted),
        )
        if holds
    ]
    return Text(" ").join(coloured(mark) for mark in marks)


def _pairs(items: Iterable[tuple[str, object]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in items) or "none"
