"""The versions of a model line, and its promotion log."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from daemon.domain.answer_pairs import AnswerPair
from daemon.ledger.stores import Stores
from daemon.ledger.version_feedback import VersionFeedback, VersionFeedbackLedger
from daemon.views.left_out import LeftOutOfRun, left_out_of, lessons_of_run
from registry.history import BrokenChain
from registry.line_logs import LineOutline, outlined_bar, read_outline
from registry.names import VersionName
from registry.orders import Order
from registry.restrictions import Bar, BarCause, Bars
from registry.taint import tainted
from registry.types import GateReport, GateVerdict, Promotion, Version


class LiveSpan(NamedTuple):
    """A time in which a version was live."""

    since: datetime
    until: datetime | None  # None: it still is


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionRow:
    """A version in a list."""

    name: VersionName
    base: bool  # the bare base model
    live: bool
    candidate: bool  # the newest version, never live
    tainted: bool  # learned from records erased since
    rolled_back: bool  # and not live since
    rejected: bool  # by an operator, as its run's cancellation is, too
    parent: VersionName | None
    created_at: datetime
    gate: GateVerdict | None  # the last report's
    size_bytes: int
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionDetails:
    """Everything about a version."""

    row: VersionRow
    version: Version
    feedback: VersionFeedback  # on its answers
    gate_reports: tuple[GateReport, ...]
    promotions: tuple[Promotion, ...]  # the entries that put it live
    bar: Bar | None = None  # why it does not go live by itself
    left_out: LeftOutOfRun | None = None  # None for the bare base, and where the run is not kept
    answers: tuple[AnswerPair, ...] = ()  # its own and the live version's, at the gate's newest look
    lessons: Mapping[str, int] = field(default_factory=dict)  # of its training set, by kind


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedHistory:
    """The promotion log, and whether it is intact."""

    model_line: str
    live: VersionName | None
    length: int  # position of the newest entry; all up to it were verified
    entries: tuple[Promotion, ...]  # the newest, the oldest of them first
    intact: bool
    problem: str | None
    orders: tuple[Order, ...] = ()  # of operators, the oldest first


def version_rows(stores: Stores, model_line: str, *, newest: int | None = None) -> tuple[VersionRow, ...]:
    """List a line's versions, the newest first: all, or so many."""
    versions = stores.versions.versions(model_line, newest=newest)
    line = _read_line(stores, model_line)
    verdicts = stores.versions.gate_verdicts([version.name for version in versions])
    return tuple(_row(version, line, verdicts.get(version.name)) for version in reversed(versions))


def version_details(stores: Stores, name: VersionName) -> VersionDetails:
    """Read everything about a version. Raises VersionNotFound."""
    version = stores.versions.version(name)
    reports = tuple(stores.versions.gate_reports(name))
    promotions = tuple(stores.versions.promotions_of(name))
    spans, line = live_spans(stores, promotions), _read_line(stores, name.line)
    run = stores.runs.run(version.run) if version.run else None
    return VersionDetails(
        row=_row(version, line, reports[-1].verdict if reports else None),
        version=version,
        feedback=VersionFeedbackLedger(stores.engine).of(str(name), spans),
        gate_reports=reports,
        promotions=promotions,
        bar=outlined_bar(stores.versions, name, line.outline),
        left_out=left_out_of(run) if run else None,
        answers=tuple(stores.gate_answers.of(str(name))),
        lessons=lessons_of_run(run) if run else {},
    )


def live_spans(stores: Stores, promotions: Sequence[Promotion]) -> list[LiveSpan]:
    """Return when a version was live, the earliest first, given the entries that put it live."""
    if not promotions:
        return []
    following = stores.versions.promotions_at(
        promotions[0].model_line, {entry.position + 1 for entry in promotions}
    )
    ends = {entry.position: entry.at for entry in following}
    return [LiveSpan(entry.at, ends.get(entry.position + 1)) for entry in promotions]


def checked_history(stores: Stores, model_line: str, *, newest: int | None = None) -> CheckedHistory:
    """Read and verify the promotion log. Its entries and the orders are shown all, or so many of the newest."""
    problem, last = None, stores.versions.newest_promotion(model_line)
    try:
        stores.versions.verify(model_line)
    except BrokenChain as broken:
        problem = str(broken)
    length = last.position if last else 0
    first = 1 if newest is None else max(1, length - newest + 1)
    orders = stores.versions.orders(model_line).orders
    return CheckedHistory(
        model_line=model_line,
        live=last.version if last else None,
        length=length,
        entries=tuple(stores.versions.promotions_between(model_line, first, length)),
        intact=problem is None,
        problem=problem,
        orders=orders if newest is None else orders[-newest:],
    )


class _LineFacts(NamedTuple):
    """What every row of a model line is derived from, read once."""

    outline: LineOutline
    live: VersionName | None
    candidate: VersionName | None  # the newest version, if it was never live
    tainted: Collection[VersionName]
    bars: Bars


def _read_line(stores: Stores, model_line: str) -> _LineFacts:
    outline = read_outline(stores.versions, model_line)
    bars = Bars(outline.steps, outline.orders)
    number = stores.versions.next_number(model_line) - 1
    newest = VersionName(model_line, number) if number >= 0 else None
    return _LineFacts(
        outline=outline,
        live=bars.live,
        candidate=newest if newest is not None and not stores.versions.promotions_of(newest) else None,
        tainted=tainted(stores.versions, model_line, stores.erasures.runs_with_erased_records()),
        bars=bars,
    )


def _row(version: Version, line: _LineFacts, verdict: GateVerdict | None) -> VersionRow:
    bar = line.bars.own(version.name, version.run)
    cause = bar.cause if bar is not None and version.name != line.live else None
    return VersionRow(
        name=version.name,
        base=version.artifact is None,
        live=version.name == line.live,
        candidate=version.name == line.candidate and version.artifact is not None and cause is None,
        tainted=version.name in line.tainted,
        rolled_back=cause is BarCause.ROLLED_BACK,
        rejected=cause in (BarCause.REJECTED, BarCause.CANCELLED),
        parent=version.lineage.parent,
        created_at=version.created_at,
        gate=verdict,
        size_bytes=version.size_bytes,
        digest=version.digest,
    )
