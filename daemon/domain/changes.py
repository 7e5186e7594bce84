"""Tells which alarms of the sequential detector are about one change. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from daemon.domain.windows import SeqRange
from monitors.sequential.pending_alarm import LOOKS


class LocatedAlarm(Protocol):
    """An alarm with its place in the stream."""

    @property
    def reference_id(self) -> int:
        """The reference that it was raised against."""
        ...

    @property
    def seq(self) -> int:
        """The conversation that raised it."""
        ...

    @property
    def since_seq(self) -> int:
        """Where the change began, by the detector's estimate."""
        ...


AlarmT = TypeVar("AlarmT", bound=LocatedAlarm)


def is_same_change(last: LocatedAlarm, later: LocatedAlarm, windows: Sequence[SeqRange]) -> bool:
    """Return whether a later alarm is about the change that ``last`` was raised for.

    The detector begins anew after each alarm, so a change that lasts is found again, and its beginning is estimated close
    to the alarm before. The change is another one where LOOKS whole windows passed between that alarm and the beginning,
    or where the reference is another one. ``windows`` are in order.
    """
    return (
        later.reference_id == last.reference_id
        and _windows_between(windows, last.seq, later.since_seq) < LOOKS
    )


def changes_of(alarms: Iterable[AlarmT], windows: Sequence[SeqRange]) -> list[list[AlarmT]]:
    """Group alarms by change. ``alarms`` and ``windows`` are in order, and so are the groups."""
    changes: list[list[AlarmT]] = []
    for alarm in alarms:
        if changes and is_same_change(changes[-1][-1], alarm, windows):
            changes[-1].append(alarm)
        else:
            changes.append([alarm])
    return changes


def _windows_between(windows: Sequence[SeqRange], after: int, before: int) -> int:
    """Count the windows that lie wholly between two conversations."""
    first = bisect_right(windows, after, key=lambda window: window.first)
    end = bisect_left(windows, before, key=lambda window: window.last)
    return max(0, end - first)
