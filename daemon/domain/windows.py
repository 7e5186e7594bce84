"""Windows of conversations, and the references that they are compared with."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


@dataclass(frozen=True, kw_only=True, slots=True)
class SeqRange:
    """Conversations first..last, both included."""

    first: int
    last: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedWindow:
    """A run of conversations that waits for, or has, its verdicts."""

    number: int
    range: SeqRange
    closed_at: datetime


class ReferenceCause(StrEnum):
    """How a reference came about."""

    VERSION = "version"  # a version took over
    ROLLBACK = "rollback"  # an earlier version took over again
    WORN = "worn"  # most of the one before was gone
    WIDENED = "widened"  # it spans more time than the one before
    OPERATOR = "operator"  # fixed by hand


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredReference:
    """Which conversations the live version is known to handle; ``range`` is None until there are enough.

    They are those of the range whose hash is at most ``hash_until``: a uniform sample, as the hash is keyed, and the same
    one whoever draws it.
    """

    id: int
    version: str
    size: int  # conversations
    after_seq: int  # filled from conversations after this one
    range: SeqRange | None
    hash_until: str | None = None  # None: all of the range
    since: datetime | None = None  # when they took place, but for the hundredth with the earliest times
    until: datetime | None = None  # likewise, the latest
    cause: ReferenceCause = ReferenceCause.VERSION
    by: str | None = None  # the operator who fixed it
    why: str | None = None

    @property
    def spanned(self) -> timedelta:
        """The time that it covers."""
        return self.until - self.since if self.since and self.until else timedelta()

    def holds(self, seq: int, hash_: str) -> bool:
        """Whether a conversation is one of it."""
        inside = self.range is not None and self.range.first <= seq <= self.range.last
        return inside and (self.hash_until is None or hash_ <= self.hash_until)


@dataclass(frozen=True, kw_only=True, slots=True)
class Freeze:
    """The reference stays as it is until an operator lets it go on."""

    at: datetime
    by: str
    why: str
    ended_at: datetime | None = None
    ended_by: str | None = None
