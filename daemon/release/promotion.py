"""Promotes versions and rolls back, for operators: one entry of the promotion log, then the switch of the target."""

from collections.abc import Callable

from daemon.domain.clock import Clock
from daemon.domain.errors import DaemonError
from daemon.ledger.stores import Stores
from daemon.release.publish import local_artifact
from daemon.release.sync import switch_target
from registry.line_logs import LineLogs, read_logs, restrictions_on
from registry.names import VersionName
from registry.store import Conflict
from registry.taint import Tainted, newest_clean, tainted
from registry.transitions import promote, promote_command, roll_back
from registry.types import Actor, Promotion, PromotionKind


class Overtaken(DaemonError):
    """Another writer changed the live version first. Nothing was changed: check, and repeat the command if still wanted."""


def promote_version(
    stores: Stores,
    name: VersionName,
    *,
    reason: str,
    force: bool,
    by: Actor,
    clock: Clock,
    expect: VersionName | None = None,
) -> Promotion:
    """Make a version live that passed the gate, or with ``force`` any version; with ``expect``, only if that one is live.

    A version that was rolled back, or that continues from one, needs a reason of its own: the gate's is not enough.
    Raises the transition's refusals, VersionNotFound, Tainted, BadArtifact, Overtaken; none of them changes anything.
    Raises NotSwitched after the entry was written.
    """
    version = stores.versions.version(name)
    if not force:
        _check_untainted(stores, name, overrule=promote_command(name, force=True))
    reports = stores.versions.gate_reports(name)
    gate = reports[-1] if reports else None

    def decide(logs: LineLogs) -> Promotion:
        restrictions = restrictions_on(stores.versions, name, logs)
        given = "" if gate is None or force or restrictions.bar else gate.reason
        return promote(
            logs.history,
            version.name,
            gate=gate,
            reason=reason or given,
            by=by,
            now=clock(),
            force=force,
            restrictions=restrictions,
            expect=expect,
        )

    return _change(stores, decide, model_line=name.line, clock=clock)


def roll_back_version(
    stores: Stores,
    *,
    model_line: str,
    to: VersionName | None,
    reason: str,
    by: Actor,
    clock: Clock,
    expect: VersionName | None = None,
) -> Promotion:
    """Return to the version that the live one replaced, or with ``to`` to an earlier one of the line.

    With ``expect``, only if that version is live. From then on the daemon promotes nothing by itself until
    ``registry.ordering.unhold``, and ends a training that continues from a version that was rolled back.
    Raises the transition's refusals, Tainted, BadArtifact, Overtaken; none of them changes anything. Raises NotSwitched
    after the entry was written.
    """

    def decide(logs: LineLogs) -> Promotion:
        entry = roll_back(logs.history, to=to, reason=reason, by=by, now=clock(), expect=expect)
        if to is None:  # an operator who names a version has chosen it, tainted or not
            overrule = f"`retuned rollback v{entry.version.number} -m REASON`"
            _check_untainted(stores, entry.version, overrule=overrule)
        return entry

    return _change(stores, decide, model_line=model_line, clock=clock)


def _check_untainted(stores: Stores, name: VersionName, *, overrule: str) -> None:
    """Raise Tainted where a version learned from records that were erased since. ``overrule`` puts it live all the same."""
    tainted_names = tainted(stores.versions, name.line, stores.erasures.runs_with_erased_records())
    if name in tainted_names:
        raise Tainted(
            name, newest_clean(stores.versions.history(name.line).line, tainted_names), overrule=overrule
        )


def _change(
    stores: Stores, decide: Callable[[LineLogs], Promotion], *, model_line: str, clock: Clock
) -> Promotion:
    logs = read_logs(stores.versions, model_line)
    entry = decide(logs)
    # Checked before the entry is written: the log must never name an artifact that is gone or damaged.
    local_artifact(stores, stores.versions.version(entry.version))
    # No order forbids a person to roll back; a promotion was decided from the orders that were read.
    orders = None if entry.kind is PromotionKind.ROLLBACK else logs.orders.number
    try:
        stores.versions.append(entry, expected=logs.history.position, orders=orders)
    except Conflict as conflict:
        raise _overtaken(stores, entry) from conflict
    switch_target(stores, entry, clock)
    return entry


def _overtaken(stores: Stores, entry: Promotion) -> Overtaken:
    """Name what was first. A second attempt could undo a change that the operator has not seen."""
    logs = read_logs(stores.versions, entry.model_line)
    last = logs.history.entries[-1]
    happened = f"{last.version} went live ({last.kind} by {last.by.name}: {last.reason})"
    if logs.history.position < entry.position:
        order = logs.orders.orders[-1]
        happened = (
            f"{order.by.name} ordered {order.kind} {order.subject or ''}".rstrip() + f" ({order.reason})"
        )
    return Overtaken(
        f"meanwhile {happened}, so {entry.version} did not go live; nothing was changed. Look at `retuned history`, and "
        "repeat the command if you still want it"
    )
