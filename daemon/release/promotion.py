"""Puts versions live and takes them back: for the loop that follows the log, and for operators who write to it."""

from collections.abc import Callable
from pathlib import Path

from daemon.domain.clock import Clock
from daemon.domain.errors import DaemonError
from daemon.ledger.stores import Stores
from registry.directory_target import BadPointer
from registry.history import History
from registry.names import VersionName
from registry.store import Conflict
from registry.taint import Tainted, newest_clean, tainted
from registry.targets import Target
from registry.transitions import promote, roll_back
from registry.types import Actor, Promotion, Version


class Overtaken(DaemonError):
    """Another writer changed what is live first. Nothing was changed; look, and repeat what is still wanted."""


def put_live(stores: Stores, *, model_line: str, clock: Clock) -> bool:
    """Serve the version that the promotion log says is live; return whether the target had to be switched.

    Doing it again changes nothing. The log is read again after each switch: of several who do this at the same
    time, whoever switches last has seen the newest entry. Raises BadArtifact, and the target then stays as it was.
    """
    switched = False
    while (live := stores.versions.history(model_line).live) is not None and live != _served(stores.target):
        version = stores.versions.version(live)
        stores.target.serve(version, _local(stores, version), now=clock())
        switched = True
    return switched


def promote_version(
    stores: Stores, name: VersionName, *, reason: str, force: bool, by: Actor, clock: Clock
) -> Promotion:
    """Make a version live that its gate let through, or any with ``force``.

    Raises the transition's refusals, VersionNotFound, BadArtifact, Overtaken; none of them changes anything.
    """
    version = stores.versions.version(name)
    if not force:
        refuse_tainted(stores, name)
    reports = stores.versions.gate_reports(name)
    gate = reports[-1] if reports else None

    def decide(history: History) -> Promotion:
        why = reason or ("" if gate is None or force else gate.reason)
        return promote(history, version.name, gate=gate, reason=why, by=by, now=clock(), force=force)

    return _change(stores, decide, model_line=name.line, clock=clock)


def roll_back_version(
    stores: Stores, *, model_line: str, to: VersionName | None, reason: str, by: Actor, clock: Clock
) -> Promotion:
    """Return to the version that the live one replaced, or with ``to`` to an earlier one of the line.

    Raises the transition's refusals, BadArtifact, Overtaken; none of them changes anything.
    """

    def decide(history: History) -> Promotion:
        entry = roll_back(history, to=to, reason=reason, by=by, now=clock())
        if to is None:  # who names a version knows what it is
            refuse_tainted(stores, entry.version)
        return entry

    return _change(stores, decide, model_line=model_line, clock=clock)


def refuse_tainted(stores: Stores, name: VersionName) -> None:
    """Raise Tainted where a version learned from what was forgotten since."""
    marked = tainted(stores.versions.versions(name.line), stores.erasures.runs_with_erased_records())
    if name in marked:
        raise Tainted(name, newest_clean(stores.versions.history(name.line).line, marked))


def _change(
    stores: Stores, decide: Callable[[History], Promotion], *, model_line: str, clock: Clock
) -> Promotion:
    history = stores.versions.history(model_line)
    entry = decide(history)
    # Checked before it is written down: the log must not send servers to an artifact that is gone or damaged.
    _local(stores, stores.versions.version(entry.version))
    try:
        stores.versions.append(entry, expected=history.position)
    except Conflict as conflict:
        raise _overtaken(stores, entry) from conflict
    put_live(stores, model_line=model_line, clock=clock)
    return entry


def _overtaken(stores: Stores, entry: Promotion) -> Overtaken:
    """Say who was first. Deciding again unasked could take back what the operator has not seen."""
    last = stores.versions.history(entry.model_line).entries[-1]
    return Overtaken(
        f"meanwhile {last.version} went live ({last.kind} by {last.by.name}: {last.reason}), so {entry.version} did not; "
        "nothing was changed. Look at `retuned history`, and repeat the command if you still want it"
    )


def _served(target: Target) -> VersionName | None:
    """Return what is served. A damaged pointer serves nothing, and is written anew."""
    try:
        return target.current()
    except BadPointer:
        return None


def _local(stores: Stores, version: Version) -> Path | None:
    return None if version.artifact is None else stores.artifacts.fetch(version.artifact, version.digest)
