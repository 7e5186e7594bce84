"""Decides how the live version may change. Pure: a history in, one entry to append out, or a named refusal.

    (nothing) --A--> [v0] --B,C--> [v0 v3] --B,C--> [v0 v3 v5]
                      ^ ^             |  ^             |  |
                      | '------D------'  '------D------'  |
                      '-----------------E-----------------'

    A  bootstrap   the first live version of a line, by the daemon
    B  promote     a version whose gate said promote, against what is live now
    C  promote     by force: whatever the gate said or did not say; recorded as forced, with its numbers
    D  roll_back   to the version that the live one replaced
    E  roll_back   to an earlier one of the line, leaving out those between

In brackets is the line, its last version live. A rollback cuts the line back, so D twice walks two versions back and
never bounces. What was taken back can be promoted again (B, C). Every arrow is one more entry in the log; none is
ever taken out.
"""

from datetime import datetime

from registry.errors import RegistryError
from registry.history import History
from registry.names import VersionName
from registry.types import Actor, GateReport, GateVerdict, Promotion, PromotionKind


class Refused(RegistryError):
    """Root of the refusals: the transition is not allowed from here, and nothing was changed."""


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
    """The gate did not say promote."""


class GateOutdated(Refused):
    """The gate compared the version with one that is no longer live. Judge it again, or force the promotion."""


class ReasonMissing(Refused):
    """Every entry of the log needs a reason."""


class NothingToRollBack(Refused):
    """No earlier version was live in the line."""


class NeverLive(Refused):
    """The version was not live before the live one, so there is nothing to return to."""


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
    """Decide to put a version live.

    ``gate`` is the gate's last word on the version. Only "promote", said against what is live now, passes; ``force``
    overrules anything else, is recorded as such and needs a reason of its own.

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
    """Decide to return to the version that the live one replaced, or with ``to`` to an earlier one of the line.

    A rollback is one more entry, not an undo. Two in a row walk two versions back; they never bounce between the
    same pair.

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
        raise NeverLive(f"{to} was not live before {history.live}; there are {known}")
    return _entry(history, PromotionKind.ROLLBACK, to or earlier[-1], reason=reason, by=by, now=now)


def _objection(history: History, version: VersionName, gate: GateReport | None) -> Refused | None:
    """What keeps a version from being promoted without force."""
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
        raise ReasonMissing(f"{kind} to {version} needs a reason, for those who read the log later")
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
