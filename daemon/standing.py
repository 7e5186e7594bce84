"""Tells, from what the monitors said window by window, whether an alarm stands. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

#: The monitor that raises alarms; those that confirm them are marked as triggering where they are asked to.
DETECTOR = "e_detector"
#: The monitor that tells whether an earlier reference fits again.
RECURRENCE = "recurrence"
#: Fresh windows that may confirm an alarm. Each is tested at its share of the level.
LOOKS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What one judged window says about an alarm."""

    window: int
    at: datetime
    raised: str | None = None  # the detector's reason, where it raised an alarm in this window
    since_seq: int = 0  # where the detector takes the change to be
    confirms: bool | None = (
        None  # what the confirming test found; None where it was not asked, or could not tell
    )
    reason: str = ""  # of the confirming test


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """An alarm that nothing has answered yet."""

    window: int  # in which it was raised
    first_seq: int  # the change is in conversations from here on
    at: datetime
    reason: str
    confirmed: bool = False
    looks: int = 0  # fresh windows that did not confirm it


def standing_alarm(told: Iterable[Told]) -> Standing | None:
    """Return the alarm that stands after these windows, in their order.

    An alarm that LOOKS fresh windows do not confirm is dropped, and the next one counts.
    """
    alarm: Standing | None = None
    for window in told:
        if alarm is None:
            if window.raised is not None:
                alarm = Standing(
                    window=window.window, first_seq=window.since_seq, at=window.at, reason=window.raised
                )
        elif window.confirms:
            return replace(alarm, confirmed=True, reason=f"{alarm.reason}; confirmed: {window.reason}")
        elif window.confirms is False:
            alarm = replace(alarm, looks=alarm.looks + 1) if alarm.looks + 1 < LOOKS else None
    return alarm
