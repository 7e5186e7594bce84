"""Halts of intake, and the operators' answers to them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HaltKind(StrEnum):
    """Why intake may not continue without an operator."""

    OFFSET_LOST = "offset_lost"  # the topic does not have the next record
    TOPIC_RECREATED = "topic_recreated"  # the topic was deleted and created anew
    FETCH_STALLED = "fetch_stalled"  # the topic has records, but delivers none
    BATCH_TOO_LARGE = "batch_too_large"  # a compressed batch exceeds kafka.max_batch_bytes
    DEAD_LETTERS = "dead_letters"  # too many records are unusable
    OPERATOR = "operator"  # requested by an operator


#: What ends a halt of each kind, for people. The reason of a halt tells the offsets.
REMEDIES = {
    HaltKind.OFFSET_LOST: "read on from what the topic has: `retuned intake reset -m REASON`",
    HaltKind.TOPIC_RECREATED: "read the new topic: `retuned intake reset -m REASON`",
    HaltKind.FETCH_STALLED: "mend the broker and `retuned intake resume -m REASON`, or skip the records as told above",
    HaltKind.BATCH_TOO_LARGE: (
        "raise kafka.max_batch_bytes, restart and `retuned intake resume -m REASON`, or skip the batch as told above"
    ),
    HaltKind.DEAD_LETTERS: "mend the producer, then `retuned intake resume -m REASON`",
    HaltKind.OPERATOR: "`retuned intake resume -m REASON`",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Halt:
    """Intake waits for an operator. A halt is recorded, so it survives restarts and applies to every replica."""

    kind: HaltKind
    reason: str
    at: datetime
    topic: str | None = None  # with partition: where intake is stuck, if in one place
    partition: int | None = None
    id: int | None = None  # assigned by the ledger
    cleared_at: datetime | None = None
    cleared_by: str | None = None
    why: str | None = None  # the operator's reason to resume


@dataclass(frozen=True, kw_only=True, slots=True)
class OffsetChange:
    """An operator changed the offset that a partition is read from."""

    topic: str
    partition: int
    before: int | None
    after: int
    at: datetime
    by: str
    why: str
