"""Time, passed in wherever it is needed so that tests can set it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present moment, aware, UTC."""
    return datetime.now(UTC)


class Interval:
    """Says when it is time again. A clock that was set back does not stop it."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval
        self._next: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Tell whether the interval is over since it was last started; at first it is."""
        return self._next is None or not self._next - self._interval <= now < self._next

    def start(self, now: datetime) -> None:
        """Begin the interval anew."""
        self._next = now + self._interval
