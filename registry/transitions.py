"""Decides how the live version may change: pure functions from a history to the next entry, or to a refusal.

    (nothing) --A--> [v0] --B,C--> [v0 v3] --B,C--> [v0 v3 v5]
                      ^ ^             |  ^             |  |
                      | '------D------'  '------D------'  |
                      '-----------------E-----------------'

    A  bootstrap   the first live version of a line, by the daemon
    B  promote     a version that the gate passed against the live version
    C  promote     by force, with or without a gate report; recorded as forced, with the report
    D  roll_back   to the version that the live one replaced
    E  roll_back   to an earlier version of the line, skipping those between

The brackets show the line; its last version is live. A rollback shortens the line, so D twice goes two versions back.
Every arrow appends an entry to the log; entries are never removed.

What operators said binds the daemon: it promotes nothing while promotion is held, and never a version that was rolled
back or rejected, or that continues from one. A person may, with a reason (``registry/restrictions.py``).
"""

from datetime import datetime, timedelta

from registry.errors import RegistryError
from registry.history import History
from registry.names import VersionName
from registry.restrictions import Bar, BarCause, Restrictions
from registry.types import Actor, GateReport, GateVerdict, Promotion, PromotionKind


class Refused(RegistryError):
    """Base class of the refusals: the transition is not allowed, and nothing was changed."""


class AlreadyBootstrapped(Refused):
    """The line has a live version already."""


class NothingLive(Refused):
    """The line has no live version yet; start the daemon once."""


class OtherLine(Refused):
    """The version belongs to another model line."""


class AlreadyLive(Refused):
    """The version is live already."""


class NotJudged(Refused):
    """The gate has not judged the version."""


class GateNotPassed(Refused):
    """The gate's last verdict on the version is not promote."""


class GateOutdated(Refused):
    """The gate compared the version with one that is no longer live."""


class ReasonMissing(Refused):
    """Every entry of the log needs a reason."""


class NothingToRollBack(Refused):
    """The line has no version before the live one."""


class NeverLive(Refused):
    """The version does not precede the live one in the line."""


class NotExpected(Refused):
    """Another version is live than the one that was expected. Look at it, and repeat the command if still wanted."""


class NameTheVersion(Refused):
    """Somebody rolled back a moment ago. A second rollback goes a version further, so it has to name the version."""


class Held(Refused):
    """Automatic promotion is held. It goes on after `retuned unhold`."""


class Barred(Refused):
    """The version, or one that it continues from, was rolled back or rejected; only a person may promote it."""


#: Within this time of another, a rollback has to name its version. By the clocks of the two machines, which may differ.
_MOMENT = timedelta(minutes=1)
_FREE = Restrictions()


def bootstrap(history: History, version: VersionName, *, reason: str, by: Actor, now: datetime) -> Promotion:
    """Decide on the first live version of a line. Raises AlreadyBootstrapped, OtherLine, ReasonMissing."""
    if history.live is not None:
        raise AlreadyBootstrapped(f"{history.model_line} is on {history.live} already; promote instead")
    check_same_line(history, version)
    return _entry(history, PromotionKind.BOOTSTRAP, version, reason=reason, by=by, now=now)


def promote(
    history: History,
    version: VersionName,
    *,
    gate: GateReport | None,
    reason: str,
    by: Actor,
    now: datetime,
    force: bool = False,
    restrictions: Restrictions = _FREE,
    expect: VersionName | None = None,
) -> Promotion:
    """Decide to make a version the live one.

    ``gate`` is the newest gate report on the version. It passes if its verdict is promote and it names the current live
    version, or none, as the one compared with. ``force`` overrules any other report, or a missing one, and is recorded.
    It also overrules a rejection by an operator.

    ``restrictions`` bind the daemon; a person may promote nonetheless.
    ``expect`` is the version that must be live now.

    Raises NothingLive, NotExpected, OtherLine, AlreadyLive, Held, Barred, NotJudged, GateNotPassed, GateOutdated,
    ReasonMissing.
    """
    if history.live is None:
        raise NothingLive(f"{history.model_line} has no live version yet; start the daemon: `retuned run`")
    _check_expected(history, expect)
    check_same_line(history, version)
    if version == history.live:
        raise AlreadyLive(f"{version} is live already")
    if by.kind != "operator":
        check_automatic(version, restrictions)
    objection = _objection(history, version, gate) or _rejection(version, restrictions.bar)
    if objection is not None and not force:
        raise objection
    return _entry(
        history,
        PromotionKind.PROMOTION,
        version,
        reason=reason,
        by=by,
        now=now,
        gate=gate,
        forced=objection is not None,
    )


def roll_back(
    history: History,
    *,
    to: VersionName | None,
    reason: str,
    by: Actor,
    now: datetime,
    expect: VersionName | None = None,
) -> Promotion:
    """Decide to return to the version that the live one replaced, or to the earlier version ``to`` of the line.

    A rollback appends an entry and removes none. Two in a row go two versions back; within a minute of another, it has to
    name its version, or with ``expect`` the version that must be live now. So two people who roll back at once do not go
    further back than either wanted.

    Raises NotExpected, OtherLine, AlreadyLive, NothingToRollBack, NeverLive, NameTheVersion, ReasonMissing.
    """
    _check_expected(history, expect)
    if to is not None:
        check_same_line(history, to)
        if to == history.live:
            raise AlreadyLive(f"{to} is live already")
    earlier = history.line[:-1]
    if not earlier:
        raise NothingToRollBack(
            f"{history.model_line} is on {history.live or 'nothing'}, and nothing was live before"
        )
    if to is not None and to not in earlier:
        known = ", ".join(map(str, dict.fromkeys(reversed(earlier))))
        raise NeverLive(f"{to} was not live before {history.live}; choose one of {known}")
    if to is None and expect is None:
        _check_not_just_rolled_back(history, earlier[-1], now)
    return _entry(history, PromotionKind.ROLLBACK, to or earlier[-1], reason=reason, by=by, now=now)


def check_automatic(version: VersionName, restrictions: Restrictions) -> None:
    """Check that the daemon may put a version live by itself. Raises Held, Barred."""
    if restrictions.bar is not None:
        command = promote_command(version, force=must_force(restrictions.bar))
        raise Barred(f"{explain_bar(version, restrictions.bar)}; only a person may promote it: {command}")
    if restrictions.hold is not None:
        raise Held(f"{restrictions.hold}; `retuned unhold -m REASON` ends it")


def explain_bar(version: VersionName, bar: Bar) -> str:
    """Return in words why a version may not go live by itself."""
    return str(bar) if bar.version == version else f"{version} continues from {bar.version}: {bar}"


def must_force(bar: Bar) -> bool:
    """Return whether a person has to force a promotion in spite of this bar; after a rollback a reason is enough."""
    return bar.cause is not BarCause.ROLLED_BACK


def promote_command(version: VersionName, *, force: bool) -> str:
    """Return the command by which a person puts a version live, for messages."""
    return f"`retuned promote v{version.number}{' --force' if force else ''} -m REASON`"


def _rejection(version: VersionName, bar: Bar | None) -> Refused | None:
    """Return why an operator has to force a promotion that the gate allows; None if there is no need."""
    if bar is None or not must_force(bar):
        return None
    return Barred(f"{explain_bar(version, bar)}; to overrule this: {promote_command(version, force=True)}")


def _check_expected(history: History, expect: VersionName | None) -> None:
    if expect is None or expect == history.live:
        return
    last = history.entries[-1] if history.entries else None
    how = f" ({last.kind} by {last.by.name}: {last.reason})" if last else ""
    raise NotExpected(f"{expect} is not live; {history.live or 'nothing'} is{how}; nothing was changed")


def _check_not_just_rolled_back(history: History, next_back: VersionName, now: datetime) -> None:
    rollbacks = (entry for entry in reversed(history.entries) if entry.kind is PromotionKind.ROLLBACK)
    last = next(rollbacks, None)
    if last is not None and abs(now - last.at) < _MOMENT:
        seconds = abs(now - last.at).total_seconds()
        raise NameTheVersion(
            f"{last.by.name} rolled back from {last.previous} to {last.version} {seconds:.0f} s ago ({last.reason}), and "
            f"{history.live} is live; to go further back, name the version: "
            f"`retuned rollback v{next_back.number} -m REASON`"
        )


def _objection(history: History, version: VersionName, gate: GateReport | None) -> Refused | None:
    """Return why a version can't be promoted without force; None if it can."""
    if gate is None:
        return NotJudged(
            f"the gate has not judged {version}: the daemon has it judge the newest version; to promote it without that: "
            f"{promote_command(version, force=True)}"
        )
    if gate.verdict is not GateVerdict.PROMOTE:
        return GateNotPassed(
            f"the gate said {gate.verdict} to {version}: {gate.reason}; to overrule it: {promote_command(version, force=True)}"
        )
    if gate.against is not None and gate.against != history.live:
        return GateOutdated(
            f"the gate compared {version} with {gate.against}, but {history.live} is live now; to promote it all the same: "
            f"{promote_command(version, force=True)}"
        )
    return None


def check_same_line(history: History, version: VersionName) -> None:
    """Raise OtherLine for a version of another model line."""
    if version.line != history.model_line:
        raise OtherLine(f"{version} is a version of {version.line}, not of {history.model_line}")


def _entry(
    history: History,
    kind: PromotionKind,
    version: VersionName,
    *,
    reason: str,
    by: Actor,
    now: datetime,
    gate: GateReport | None = None,
    forced: bool = False,
) -> Promotion:
    if not reason.strip():
        raise ReasonMissing(f"{kind} to {version} needs a reason, which the log records")
    return Promotion(
        model_line=history.model_line,
        position=history.position + 1,
        kind=kind,
        version=version,
        previous=history.live,
        reason=reason,
        by=by,
        at=now,
        forced=forced,
        gate=gate,
        previous_digest=history.head,
    )
