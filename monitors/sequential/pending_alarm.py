"""Tells, from what the monitors said window by window, whether an alarm stands. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from monitors.types import Aspect

#: The monitor that raises alarms; those that confirm them are marked as triggering where they are asked to.
DETECTOR = "e_detector"
#: The monitor that tells whether an earlier reference fits again.
RECURRENCE = "recurrence"
#: Fresh windows that may confirm an alarm. Each is tested at its share of the level.
LOOKS = 3
#: Fresh windows that may be unable to tell (too few users, an hour that the reference does not know). An alarm then stands
#: by itself: it was raised at the declared rate, and a small team's windows can never tell.
UNABLE = 6
#: The words of users may tell nothing of a change in these, so no window is asked to confirm it: an alarm mostly about
#: one of them stands by itself, and its triage looks at feedback, losses and defects.
UNSEEN_IN_WORDS = frozenset(
    {
        Aspect.REPLY,
        Aspect.SHAPE,  # of replies, too
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
    """What one judged window says about an alarm."""

    window: int
    at: datetime
    raised: str | None = None  # the detector's reason, where it raised an alarm in this window
    since_seq: int = 0  # where the detector takes the change to be
    leading: Aspect | None = None  # what changed most, by the detector
    confirms: bool | None = (
        None  # what the confirming test found; None where it was not asked, or could not tell
    )
    reason: str = ""  # of the confirming test; empty where it was not asked


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingAlarm:
    """An alarm that nothing has answered yet."""

    window: int  # in which it was raised
    first_seq: int  # the change is in conversations from here on
    at: datetime
    reason: str
    leading: Aspect | None = None  # what changed most, by the detector
    confirmed: bool = False
    looks: int = 0  # fresh windows that did not confirm it
    unable: int = 0  # fresh windows that could not tell


def pending_alarm(told: Iterable[WindowEvidence]) -> PendingAlarm | None:
    """Return the alarm that stands after these windows, in their order.

    An alarm that LOOKS fresh windows do not confirm is dropped; the next one counts, which may have been raised while
    this one was looked at. One that UNABLE could not tell anything about is taken for confirmed.
    """
    alarms: list[PendingAlarm] = []
    for window in told:
        alarms = [after for alarm in alarms if (after := _looked_at(alarm, window)) is not None]
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
        leading=window.leading,
        confirmed=window.leading in UNSEEN_IN_WORDS,
    )


def _looked_at(alarm: PendingAlarm, window: WindowEvidence) -> PendingAlarm | None:
    """Return what becomes of an alarm by a window after it; None where it is dropped."""
    if alarm.confirmed:
        return alarm
    if window.confirms:
        return replace(alarm, confirmed=True, reason=f"{alarm.reason}; confirmed: {window.reason}")
    if window.confirms is False:
        return replace(alarm, looks=alarm.looks + 1) if alarm.looks + 1 < LOOKS else None
    if not window.reason:
        return alarm
    alarm = replace(alarm, unable=alarm.unable + 1)
    if alarm.unable < UNABLE:
        return alarm
    why = f"{UNABLE} fresh windows could not tell, so it stands by itself: {window.reason}"
    return replace(alarm, confirmed=True, reason=f"{alarm.reason}; {why}")
