"""Says how much one user may say before it is a flood: a script, a loop, an attack, and no conversation any more."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        return self.within // timedelta(microseconds=1)

    def span(self, at: datetime) -> int:
        """Return the number of the span that a moment is in. It counts towards zero, as databases divide."""
        micros = (at - _EPOCH) // timedelta(microseconds=1)
        return micros // self.span_us if micros >= 0 else -(-micros // self.span_us)
