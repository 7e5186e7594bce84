"""Clocks, which are passed in wherever time is needed, and intervals."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time, timezone-aware, in UTC."""
    return datetime.now(UTC)


class Interval:
    """Tells when a recurring task is due. Setting the clock back does not delay it."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval
        self._next: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Return whether the interval has passed since ``start``, or was never started."""
        return self._next is None or not self._next - self._interval <= now < self._next

    def start(self, now: datetime) -> None:
        """Start the interval."""
        self._next = now + self._interval
