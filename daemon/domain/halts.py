"""Why intake waits for an operator, and what operators did about it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HaltKind(StrEnum):
    """Why intake may not go on by itself."""

    OFFSET_LOST = "offset_lost"  # the record to go on from is not in the topic
    TOPIC_RECREATED = "topic_recreated"  # another topic has taken the name
    FETCH_STALLED = "fetch_stalled"  # there are records, and none can be had
    BATCH_TOO_LARGE = "batch_too_large"  # a compressed batch holds more than memory may take
    DEAD_LETTERS = "dead_letters"  # more than may be set aside
    OPERATOR = "operator"  # somebody asked for it


@dataclass(frozen=True, kw_only=True, slots=True)
class Halt:
    """Intake waits for an operator; recorded, so that it outlives restarts and holds for every replica."""

    kind: HaltKind
    reason: str
    at: datetime
    topic: str | None = None  # and partition: where it got stuck, if it is one place
    partition: int | None = None
    id: int | None = None  # given by the ledger
    cleared_at: datetime | None = None
    cleared_by: str | None = None
    why: str | None = None  # the operator's reason to go on


@dataclass(frozen=True, kw_only=True, slots=True)
class OffsetChange:
    """An operator set where a partition is read on from."""

    topic: str
    partition: int
    before: int | None
    after: int
    at: datetime
    by: str
    why: str
