"""Screens of the registry: versions, one version, the promotion log."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from daemon.cli.render.answer_pairs import answer_pairs
from daemon.cli.render.formatting import (
    coloured,
    counted,
    left_out_lines,
    lesson_words,
    printable,
    size,
    source_lines,
    timestamp,
)
from daemon.cli.render.gate import gate_tree
from daemon.cli.render.layout import facts, heading, indented, listed
from daemon.cli.render.orders import bar_words, order_entries
from daemon.ledger.version_feedback import VersionFeedback
from daemon.views.versions import CheckedHistory, VersionDetails, VersionRow
from registry.names import VersionName
from registry.types import Promotion

_DIGEST_SHOWN = 12


def versions_screen(rows: Sequence[VersionRow], *, total: int) -> RenderableType:
    """List versions, the newest first. ``total``: how many there are."""
    if not rows:
        return "no versions yet; the first start of `retuned run` registers the base model"
    live = next(
        (str(row.name) for row in rows if row.live), "an older one" if len(rows) < total else "nothing"
    )
    table = listed("version", "state", "created", "parent", "gate", "size", right=("size",))
    for row in rows:
        table.add_row(
            f"v{row.name.number}", _states(row), timestamp(row.created_at), _short(row.parent),
            coloured(row.gate) if row.gate else "", size(row.size_bytes),
        )  # fmt: skip
    shown = f", the newest {len(rows)} shown (--all for all)" if len(rows) < total else ""
    title = f"{counted(total, 'version')} of {rows[0].name.line}{shown}; {live} is live"
    return Group(title, "", table)


def version_screen(details: VersionDetails) -> RenderableType:
    """Show everything about one version."""
    gates: list[RenderableType] = [
        part for report in details.gate_reports for part in (Text(), gate_tree(report))
    ]
    if details.answers:
        live = details.gate_reports[-1].against if details.gate_reports else None
        gates += [Text(), answer_pairs(details.answers, live=live, candidate=details.version.name)]
    log = [heading("Promotions"), *map(promotion_entry, details.promotions)] if details.promotions else []
    return Group(facts(_version_facts(details)), *gates, *log)


def _version_facts(details: VersionDetails) -> Iterator[tuple[str, RenderableType]]:
    version, lineage = details.version, details.version.lineage
    yield "version", Text.assemble((str(version.name), "bold"), " ", _states(details.row))
    if details.bar is not None:
        yield "barred", bar_words(details.bar)
    yield "created", timestamp(version.created_at)
    yield "parent", str(lineage.parent or "the base model")
    yield "base", lineage.base
    yield "", f"sha256 {lineage.base_digest[:_DIGEST_SHOWN]}…"
    yield "artifact", f"{version.artifact or 'none'}"
    yield "", f"{size(version.size_bytes)}, sha256 {version.digest[:_DIGEST_SHOWN]}…"
    yield "run", version.run or "none"
    yield "method", f"{lineage.method}, seed {lineage.seed}"
    yield "settings", _pairs(lineage.settings.items())
    yield "packages", _pairs(lineage.packages.items())
    yield "learned from", counted(lineage.conversations, "conversation")
    for line in source_lines(lineage.sources):
        yield "", line
    if lineage.conversations:
        yield "", f"data sha256 {lineage.data_digest[:_DIGEST_SHOWN]}…"
    if details.lessons:
        yield "lessons", lesson_words(details.lessons)
    if (left_out := details.left_out) is not None:
        for line in left_out_lines(left_out.curation, left_out.encoder, left_out.answers):
            yield "", line
    yield "feedback", _feedback(details.feedback)


def history_screen(history: CheckedHistory) -> RenderableType:
    """Say whether the promotion log is intact, then show its entries and the orders, the oldest first."""
    intact = (
        Text(
            f"The log is intact: {_entries(history.length)}, each with the digest of the one before.",
            "green",
        )
        if history.intact
        else Text(f"The log is damaged: {history.problem}", "bold red")
    )
    live = f"Live: {history.live or 'nothing yet'}"
    earlier = history.length - len(history.entries)
    hint = [f"{_entries(earlier)} before these (--all for all)"] if earlier else []
    orders = [heading("Orders of operators"), *order_entries(history.orders)] if history.orders else []
    return Group(intact, live, "", *hint, *map(promotion_entry, history.entries), *orders)


def promotion_entry(entry: Promotion) -> RenderableType:
    """Show one entry of the promotion log."""
    was = f" (was {_short(entry.previous)})" if entry.previous else ""
    forced = Text(", forced past the gate", "yellow") if entry.forced else ""
    who = f"by {entry.by.kind} {entry.by.name}"
    title = Text.assemble(
        f"{entry.position}. {timestamp(entry.at)}  {entry.kind}: ",
        (_short(entry.version), "bold"),
        f"{was} {who}",
        forced,
    )
    return Group(title, indented(Text(printable(entry.reason)), 3))


def _feedback(opinion: VersionFeedback) -> str:
    if opinion.mean is None:
        return "none on its answers yet"
    rated = counted(opinion.conversations, "conversation")
    return f"{opinion.mean:+.2f} on average (-1 worst, +1 best), on {rated} that it answered"


def _states(row: VersionRow) -> Text:
    states = {
        "live": row.live,
        "candidate": row.candidate,
        "base": row.base,
        "tainted": row.tainted,
        "rolled_back": row.rolled_back,
        "rejected": row.rejected,
    }
    return Text(" ").join(coloured(state) for state, holds in states.items() if holds)


def _short(name: VersionName | None) -> str:
    return "" if name is None else f"v{name.number}"


def _entries(count: int) -> str:
    return f"{count} entry" if count == 1 else f"{count} entries"


def _pairs(items: Iterable[tuple[str, object]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in items) or "none"
