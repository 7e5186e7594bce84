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
A version that was rolled back can be promoted again (B, C). Every arrow appends an entry to the log; entries are never
removed.
"""

from datetime import datetime

from registry.errors import RegistryError
from registry.history import History
from registry.names import VersionName
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
    """The gate compared the version with one that is no longer live. Judge it again, or force the promotion."""


class ReasonMissing(Refused):
    """Every entry of the log needs a reason."""


class NothingToRollBack(Refused):
    """The line has no version before the live one."""


class NeverLive(Refused):
    """The version does not precede the live one in the line."""


def bootstrap(history: History, version: VersionName, *, reason: str, by: Actor, now: datetime) -> Promotion:
    """Decide on the first live version of a line. Raises AlreadyBootstrapped, OtherLine, ReasonMissing."""
    if history.live is not None:
        raise AlreadyBootstrapped(f"{history.model_line} is on {history.live} already; promote instead")
    _same_line(history, version)
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
) -> Promotion:
    """Decide to make a version the live one.

    ``gate`` is the newest gate report on the version. It passes if its verdict is promote and it names the current live
    version, or none, as the one compared with. ``force`` overrules any other report, or a missing one, and is recorded.

    Raises NothingLive, OtherLine, AlreadyLive, NotJudged, GateNotPassed, GateOutdated, ReasonMissing.
    """
    if history.live is None:
        raise NothingLive(f"{history.model_line} has no live version yet; start the daemon once")
    _same_line(history, version)
    if version == history.live:
        raise AlreadyLive(f"{version} is live already")
    objection = _objection(history, version, gate)
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
    history: History, *, to: VersionName | None, reason: str, by: Actor, now: datetime
) -> Promotion:
    """Decide to return to the version that the live one replaced, or to the earlier version ``to`` of the line.

    A rollback appends an entry and removes none. Two in a row go two versions back.

    Raises OtherLine, AlreadyLive, NothingToRollBack, NeverLive, ReasonMissing.
    """
    if to is not None:
        _same_line(history, to)
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
    return _entry(history, PromotionKind.ROLLBACK, to or earlier[-1], reason=reason, by=by, now=now)


def _objection(history: History, version: VersionName, gate: GateReport | None) -> Refused | None:
    """Return why a version can't be promoted without force; None if it can."""
    if gate is None:
        return NotJudged(f"the gate has not judged {version}; wait for it, or force the promotion")
    if gate.verdict is not GateVerdict.PROMOTE:
        return GateNotPassed(
            f"the gate said {gate.verdict} to {version}: {gate.reason}; to overrule it, force the promotion"
        )
    if gate.against is not None and gate.against != history.live:
        return GateOutdated(
            f"the gate compared {version} with {gate.against}, but {history.live} is live now; judge it again, or "
            "force the promotion"
        )
    return None


def _same_line(history: History, version: VersionName) -> None:
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
