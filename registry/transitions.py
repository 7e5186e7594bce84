"""Decides how the live version may change. Pure: a history in, one entry to append out, or a named refusal.

    (nothing) --A--> live v0 --B--> live v3 --B--> live v5
                        ^------C------'  ^------C------'

    A  bootstrap   the first live version of a line, by the daemon
    B  promote     a version whose gate said promote, or that an operator forced
    C  roll_back   to the version that the live one replaced, or to an earlier one of the line

Every arrow is one more entry in the log; none is ever taken back.
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


class ReasonMissing(Refused):
    """A forced promotion or a rollback needs a reason."""


class NothingToRollBack(Refused):
    """No earlier version was live in the line."""


class NeverLive(Refused):
    """The version was not live before the live one, so there is nothing to return to."""


def bootstrap(history: History, version: VersionName, *, reason: str, by: Actor, now: datetime) -> Promotion:
    """Decide on the first live version of a line. Raises AlreadyBootstrapped, OtherLine."""
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

    ``gate`` is the gate's last word on the version. Only "promote" passes; ``force`` overrules that, is recorded
    as such and needs a reason.

    Raises NothingLive, OtherLine, AlreadyLive, NotJudged, GateNotPassed, ReasonMissing.
    """
    if history.live is None:
        raise NothingLive(f"{history.model_line} has no live version yet; start the daemon once")
    _same_line(history, version)
    if version == history.live:
        raise AlreadyLive(f"{version} is live already")
    passed = gate is not None and gate.verdict is GateVerdict.PROMOTE
    if not passed and not force:
        if gate is None:
            raise NotJudged(f"the gate has not judged {version}; wait for it, or force the promotion")
        raise GateNotPassed(
            f"the gate said {gate.verdict} to {version}: {gate.reason}; to overrule it, force the promotion"
        )
    if not passed and not reason.strip():
        raise ReasonMissing(f"forcing {version} past the gate needs a reason")
    return _entry(
        history, PromotionKind.PROMOTION, version, reason=reason, by=by, now=now, gate=gate, forced=not passed
    )


def roll_back(
    history: History, *, to: VersionName | None, reason: str, by: Actor, now: datetime
) -> Promotion:
    """Decide to return to the version that the live one replaced, or with ``to`` to an earlier one of the line.

    A rollback is one more entry, not an undo. Two in a row walk two versions back; they never bounce between the
    same pair.

    Raises ReasonMissing, OtherLine, AlreadyLive, NothingToRollBack, NeverLive.
    """
    if not reason.strip():
        raise ReasonMissing("a rollback needs a reason; say why, for those who read the log later")
    if to is not None:
        _same_line(history, to)
        if to == history.live:
            raise AlreadyLive(f"{to} is live already")
    earlier = history.line[:-1]
    if not earlier:
        raise NothingToRollBack(f"{history.model_line} is on {history.live}, and nothing was live before it")
    if to is not None and to not in earlier:
        known = ", ".join(map(str, dict.fromkeys(reversed(earlier))))
        raise NeverLive(f"{to} was not live before {history.live}; there are {known}")
    return _entry(history, PromotionKind.ROLLBACK, to or earlier[-1], reason=reason, by=by, now=now)


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
