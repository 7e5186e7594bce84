"""Folds the verdicts on successive windows into the alarm that is pending. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from monitors.types import Aspect

#: The name of the monitor that raises alarms.
DETECTOR = "e_detector"
#: Fresh windows that may confirm an alarm. Each is tested at its share of the level.
LOOKS = 3
#: After this many inconclusive windows the alarm is accepted unconfirmed: it was raised at the declared rate, and the
#: windows of a small team never have enough users for a test.
MAX_INCONCLUSIVE = 6
#: Aspects whose change users' words may not show. An alarm led by one of them is accepted unconfirmed; its triage looks at
#: feedback, losses and defects.
NOT_IN_WORDS = frozenset(
    {
        Aspect.REPLY,
        Aspect.SHAPE,  # of replies as well
        Aspect.DEFECTS,
        Aspect.EMBEDDING,
        Aspect.LABEL,
        Aspect.QUALITY,
        Aspect.FEEDBACK_RATE,
        Aspect.CONCEPT,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowEvidence:
    """What the verdicts on one window say about alarms."""

    window: int
    at: datetime
    raised: str | None = None  # the detector's reason, where it raised an alarm in this window
    since_seq: int = 0  # where the change began, by the detector's estimate
    leading_aspect: Aspect | None = None  # the aspect with the most evidence
    confirms: bool | None = None  # result of the confirming test; None: it did not run, or was inconclusive
    reason: str = ""  # of the confirming test; empty where it did not run


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingAlarm:
    """An alarm that no decision has answered yet."""

    window: int  # in which it was raised
    first_seq: int  # the first changed conversation, by the detector's estimate
    at: datetime
    reason: str
    leading_aspect: Aspect | None = None  # the aspect with the most evidence
    confirmed: bool = False
    looks: int = 0  # fresh windows that did not confirm it
    inconclusive: int = 0  # fresh windows whose confirming test was inconclusive


def pending_alarm(windows: Iterable[WindowEvidence]) -> PendingAlarm | None:
    """Return the pending alarm after these windows, which are in order.

    An alarm that LOOKS fresh windows do not confirm is dropped in favour of the next one, which may have been raised
    meanwhile. After MAX_INCONCLUSIVE inconclusive windows the alarm is accepted unconfirmed.
    """
    alarms: list[PendingAlarm] = []
    for window in windows:
        alarms = [after for alarm in alarms if (after := _after_look(alarm, window)) is not None]
        if window.raised is not None:
            alarms.append(_raised(window, window.raised))
        if alarms and alarms[0].confirmed:
            break
    return alarms[0] if alarms else None


def _raised(window: WindowEvidence, reason: str) -> PendingAlarm:
    return PendingAlarm(
        window=window.window,
        first_seq=window.since_seq,
        at=window.at,
        reason=reason,
        leading_aspect=window.leading_aspect,
        confirmed=window.leading_aspect in NOT_IN_WORDS,
    )


def _after_look(alarm: PendingAlarm, window: WindowEvidence) -> PendingAlarm | None:
    """Return the alarm after the verdicts on a later window; None where it is dropped."""
    if alarm.confirmed:
        return alarm
    if window.confirms:
        return replace(alarm, confirmed=True, reason=f"{alarm.reason}; confirmed: {window.reason}")
    if window.confirms is False:
        return replace(alarm, looks=alarm.looks + 1) if alarm.looks + 1 < LOOKS else None
    if not window.reason:
        return alarm
    alarm = replace(alarm, inconclusive=alarm.inconclusive + 1)
    if alarm.inconclusive < MAX_INCONCLUSIVE:
        return alarm
    why = f"accepted unconfirmed after {MAX_INCONCLUSIVE} inconclusive windows: {window.reason}"
    return replace(alarm, confirmed=True, reason=f"{alarm.reason}; {why}")
