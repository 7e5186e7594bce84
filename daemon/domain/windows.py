"""Windows of conversations, and the references they are compared with."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


@dataclass(frozen=True, kw_only=True, slots=True)
class SeqRange:
    """The conversations first..last, both included."""

    first: int
    last: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedWindow:
    """A closed range of conversations that monitors judge."""

    number: int
    range: SeqRange
    closed_at: datetime


class ReferenceCause(StrEnum):
    """Why a reference was made."""

    VERSION = "version"  # a version went live
    ROLLBACK = "rollback"  # an earlier version went live again
    DEPLETED = "worn"  # most of the one before was deleted
    WIDENED = "widened"  # to span more time than the one before
    OPERATOR = "operator"  # set by an operator


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredReference:
    """The conversations that the live version is known to handle; ``range`` is None until there are enough.

    They are those of the range whose keyed hash is at most ``hash_until``: a uniform sample, which is the same on every
    replica.
    """

    id: int
    version: str
    size: int  # conversations
    after_seq: int  # filled from conversations after this one
    range: SeqRange | None
    hash_until: str | None = None  # None: all of the range
    since: datetime | None = None  # their earliest time, without the first hundredth
    until: datetime | None = None  # their latest time, without the last hundredth
    cause: ReferenceCause = ReferenceCause.VERSION
    by: str | None = None  # the operator who set it
    why: str | None = None

    @property
    def spanned(self) -> timedelta:
        """The time from the earliest to the latest conversation."""
        return self.until - self.since if self.since and self.until else timedelta()

    def holds(self, seq: int, hash_: str) -> bool:
        """Return whether a conversation belongs to it."""
        inside = self.range is not None and self.range.first <= seq <= self.range.last
        return inside and (self.hash_until is None or hash_ <= self.hash_until)


@dataclass(frozen=True, kw_only=True, slots=True)
class Freeze:
    """An operator froze the reference: it stays as it is until the freeze ends."""

    at: datetime
    by: str
    why: str
    ended_at: datetime | None = None
    ended_by: str | None = None
    ended_why: str | None = None
