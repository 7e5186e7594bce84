"""The versions of a model line, and its promotion log."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from daemon.ledger.stores import Stores
from daemon.ledger.version_feedback import VersionFeedback, VersionFeedbackLedger
from registry.history import BrokenChain, History, verify
from registry.names import VersionName
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


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedHistory:
    """The promotion log, and whether it is intact."""

    model_line: str
    live: VersionName | None
    entries: tuple[Promotion, ...]  # the oldest first
    intact: bool
    problem: str | None


def version_rows(stores: Stores, model_line: str) -> tuple[VersionRow, ...]:
    """List a line's versions, the newest first."""
    versions = stores.versions.versions(model_line)
    line = _read_line(stores, model_line, versions)
    return tuple(
        _row(version, line, stores.versions.gate_reports(version.name)) for version in reversed(versions)
    )


def version_details(stores: Stores, name: VersionName) -> VersionDetails:
    """Read everything about a version. Raises VersionNotFound."""
    version = stores.versions.version(name)
    line = _read_line(stores, name.line, stores.versions.versions(name.line))
    reports = tuple(stores.versions.gate_reports(name))
    return VersionDetails(
        row=_row(version, line, reports),
        version=version,
        feedback=VersionFeedbackLedger(stores.engine).of(str(name), live_spans(line.history, name)),
        gate_reports=reports,
        promotions=tuple(entry for entry in line.history.entries if entry.version == name),
    )


def live_spans(history: History, name: VersionName) -> list[LiveSpan]:
    """Return when a version was live, the earliest first."""
    ends = [entry.at for entry in history.entries[1:]] + [None]
    return [
        LiveSpan(entry.at, end)
        for entry, end in zip(history.entries, ends, strict=True)
        if entry.version == name
    ]


def checked_history(stores: Stores, model_line: str) -> CheckedHistory:
    """Read and verify the promotion log."""
    history = stores.versions.history(model_line)
    try:
        verify(history)
        problem = None
    except BrokenChain as broken:
        problem = str(broken)
    return CheckedHistory(
        model_line=model_line,
        live=history.live,
        entries=history.entries,
        intact=problem is None,
        problem=problem,
    )


class _LineFacts(NamedTuple):
    """What every row of a model line is derived from, read once."""

    history: History
    newest: VersionName | None
    tainted: Collection[VersionName]
    were_live: Collection[VersionName]


def _read_line(stores: Stores, model_line: str, versions: Sequence[Version]) -> _LineFacts:
    history = stores.versions.history(model_line)
    return _LineFacts(
        history=history,
        newest=versions[-1].name if versions else None,
        tainted=tainted(versions, stores.erasures.runs_with_erased_records()),
        were_live=frozenset(entry.version for entry in history.entries),
    )


def _row(version: Version, line: _LineFacts, reports: Sequence[GateReport]) -> VersionRow:
    is_candidate = version.name == line.newest and version.name not in line.were_live
    return VersionRow(
        name=version.name,
        base=version.artifact is None,
        live=version.name == line.history.live,
        candidate=is_candidate and version.artifact is not None,
        tainted=version.name in line.tainted,
        parent=version.lineage.parent,
        created_at=version.created_at,
        gate=reports[-1].verdict if reports else None,
        size_bytes=version.size_bytes,
        digest=version.digest,
    )
