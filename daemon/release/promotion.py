"""Promotes versions and rolls back, for operators: one entry of the promotion log, then the switch of the target."""

from collections.abc import Callable

from daemon.domain.clock import Clock
from daemon.domain.errors import DaemonError
from daemon.ledger.stores import Stores
from daemon.release.publish import local_artifact
from daemon.release.sync import switch_target
from registry.history import History
from registry.names import VersionName
from registry.store import Conflict
from registry.taint import Tainted, newest_clean, tainted
from registry.transitions import promote, roll_back
from registry.types import Actor, Promotion


class Overtaken(DaemonError):
    """Another writer changed the live version first. Nothing was changed: check, and repeat the command if still wanted."""


def promote_version(
    stores: Stores, name: VersionName, *, reason: str, force: bool, by: Actor, clock: Clock
) -> Promotion:
    """Make a version live that passed the gate, or with ``force`` any version.

    Raises the transition's refusals, VersionNotFound, Tainted, BadArtifact, Overtaken; none of them changes anything.
    Raises NotSwitched after the entry was written.
    """
    version = stores.versions.version(name)
    if not force:
        _check_untainted(stores, name)
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

    Raises the transition's refusals, Tainted, BadArtifact, Overtaken; none of them changes anything. Raises NotSwitched
    after the entry was written.
    """

    def decide(history: History) -> Promotion:
        entry = roll_back(history, to=to, reason=reason, by=by, now=clock())
        if to is None:  # an operator who names a version has chosen it, tainted or not
            _check_untainted(stores, entry.version)
        return entry

    return _change(stores, decide, model_line=model_line, clock=clock)


def _check_untainted(stores: Stores, name: VersionName) -> None:
    """Raise Tainted where a version learned from records that were erased since."""
    tainted_names = tainted(stores.versions, name.line, stores.erasures.runs_with_erased_records())
    if name in tainted_names:
        raise Tainted(name, newest_clean(stores.versions.history(name.line).line, tainted_names))


def _change(
    stores: Stores, decide: Callable[[History], Promotion], *, model_line: str, clock: Clock
) -> Promotion:
    history = stores.versions.history(model_line)
    entry = decide(history)
    # Checked before the entry is written: the log must never name an artifact that is gone or damaged.
    local_artifact(stores, stores.versions.version(entry.version))
    try:
        stores.versions.append(entry, expected=history.position)
    except Conflict as conflict:
        raise _overtaken(stores, entry) from conflict
    switch_target(stores, entry, clock)
    return entry


def _overtaken(stores: Stores, entry: Promotion) -> Overtaken:
    """Name the entry that was first. A second attempt could undo a change that the operator has not seen."""
    last = stores.versions.history(entry.model_line).entries[-1]
    return Overtaken(
        f"meanwhile {last.version} went live ({last.kind} by {last.by.name}: {last.reason}), so {entry.version} did not; "
        "nothing was changed. Look at `retuned history`, and repeat the command if you still want it"
    )
