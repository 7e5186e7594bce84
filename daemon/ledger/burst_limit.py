"""Says how much one user may say before it is a flood: a script, a loop, an attack, and no conversation any more."""

from dataclasses import dataclass
from datetime import timedelta

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class BurstLimit:
    """How many conversations of one user count in one span of time.

    Spans are cut by the conversations' own times, at multiples of ``within`` since 1970, so the same records are let
    in whenever they are read, at whatever pace and after whatever crash.
    """

    conversations: int = 200
    within: timedelta = timedelta(hours=1)

    @property
    def span_us(self) -> int:
        """Microseconds of a span."""
        return self.within // _MICROSECOND
