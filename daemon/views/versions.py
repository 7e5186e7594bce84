"""The versions of a model line: what each is, how the gate judged it, when it was live."""

from dataclasses import dataclass
from datetime import datetime

from daemon.ledger.opinions import Opinion, OpinionLedger
from daemon.ledger.stores import Stores
from registry.history import BrokenChain, History, verify
from registry.names import VersionName
from registry.taint import tainted
from registry.types import GateReport, GateVerdict, Promotion, Version


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionRow:
    """A version in a list."""

    name: VersionName
    base: bool  # the bare base model
    live: bool
    candidate: bool  # the newest version, never live
    tainted: bool  # learned from what was forgotten since
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
    feedback: Opinion  # on its answers
    gate_reports: tuple[GateReport, ...]
    promotions: tuple[Promotion, ...]  # the entries that put it live


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedHistory:
    """The promotion log and whether it is whole."""

    model_line: str
    live: VersionName | None
    entries: tuple[Promotion, ...]  # the oldest first
    intact: bool
    problem: str | None


def version_rows(stores: Stores, model_line: str) -> tuple[VersionRow, ...]:
    """List a line's versions, the newest first."""
    history = stores.versions.history(model_line)
    versions = stores.versions.versions(model_line)
    newest = versions[-1].name if versions else None
    return tuple(_row(stores, version, history, newest) for version in reversed(versions))


def version_details(stores: Stores, name: VersionName) -> VersionDetails:
    """Gather everything about a version. Raises VersionNotFound."""
    version = stores.versions.version(name)
    history = stores.versions.history(name.line)
    newest = VersionName(name.line, stores.versions.next_number(name.line) - 1)
    return VersionDetails(
        row=_row(stores, version, history, newest),
        version=version,
        feedback=OpinionLedger(stores.engine).of(str(name), spans_live(history, name)),
        gate_reports=tuple(stores.versions.gate_reports(name)),
        promotions=tuple(entry for entry in history.entries if entry.version == name),
    )


def spans_live(history: History, name: VersionName) -> list[tuple[datetime, datetime | None]]:
    """Return when a version was live, from and until; None: it still is."""
    ends = [entry.at for entry in history.entries[1:]] + [None]
    return [
        (entry.at, end) for entry, end in zip(history.entries, ends, strict=True) if entry.version == name
    ]


def checked_history(stores: Stores, model_line: str) -> CheckedHistory:
    """Return the promotion log, checked entry by entry."""
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


def _row(stores: Stores, version: Version, history: History, newest: VersionName | None) -> VersionRow:
    marked = tainted(stores.versions.versions(version.name.line), stores.erasures.runs_with_erased_records())
    reports = stores.versions.gate_reports(version.name)
    was_live = any(entry.version == version.name for entry in history.entries)
    return VersionRow(
        name=version.name,
        base=version.artifact is None,
        live=version.name == history.live,
        candidate=version.name == newest and not was_live and version.artifact is not None,
        tainted=version.name in marked,
        parent=version.lineage.parent,
        created_at=version.created_at,
        gate=reports[-1].verdict if reports else None,
        size_bytes=version.size_bytes,
        digest=version.digest,
    )
