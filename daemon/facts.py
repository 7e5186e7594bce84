"""The facts that the ledger keeps: immutable values that the stages hand to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from daemon.conversation import Conversation, Feedback, Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Coordinates:
    """Where a record stands in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NewConversation:
    """A conversation on its way into the ledger, its side of the holdout split fixed."""

    conversation: Conversation
    at: Coordinates
    user_hash: str | None
    group: str  # conversations of one group depend on each other: the user's hash, else the conversation's
    conversation_hash: str  # keyed hash of the id
    held_out: bool
    text_digest: str  # equal for conversations with the same words
    record_sha256: str
    source: str | None = None  # who produced it
    sketch: bytes | None = None  # MinHash of its words


@dataclass(frozen=True, kw_only=True, slots=True)
class NewFeedback:
    """Feedback on its way into the ledger."""

    conversation_id: str
    at: Coordinates
    when: datetime
    feedback: Feedback


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """A record that can't be used, with its original bytes."""

    at: Coordinates
    reason: str
    field: str
    message: str
    key: bytes | None
    value: bytes | None
    when: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What one poll brought, and where to go on reading."""

    conversations: tuple[NewConversation, ...] = ()
    feedback: tuple[NewFeedback, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    next_offsets: Mapping[tuple[str, int], int] = field(default_factory=dict)  # (topic, partition) -> offset
    topic_ids: Mapping[str, str] = field(default_factory=dict)  # of the topics whose broker tells one
    received_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchResult:
    """What a batch changed."""

    conversations: int
    held_out: int
    feedback: int
    dead_letters: int
    duplicates: int
    windows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredConversation:
    """A conversation in the ledger. ``seq`` orders all conversations of the ledger."""

    seq: int
    conversation_id: str
    coordinates: Coordinates
    at: datetime
    group: str
    held_out: bool
    version: str | None
    messages: tuple[Message, ...]
    feedback: float | None
    text_digest: str
    record_sha256: str
    conversation_hash: str
    source: str | None = None
    sketch: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRecord:
    """One conversation that a run learned from."""

    at: Coordinates
    sha256: str | None  # of the record; None once it is erased
    origin: str  # new or replay
    group: str
    conversation_hash: str
    erased: bool = False


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


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredReference:
    """Which conversations the live version is known to handle; ``range`` is None until there are enough."""

    id: int
    version: str
    size: int
    after_seq: int  # filled from conversations after this one
    range: SeqRange | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """The first window of an unbroken wish to train: drift that no training has answered yet."""

    window: int
    first_seq: int  # the change is in conversations from here on
    reason: str
    at: datetime


class Trigger(StrEnum):
    """What may start a training."""

    DRIFT = "drift"
    VOLUME = "volume"
    SCHEDULE = "schedule"
    MANUAL = "manual"


class Action(StrEnum):
    """What was decided. WAIT: yes, but not yet."""

    TRAIN = "train"
    WAIT = "wait"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Train, or do not train, and the reason; recorded either way."""

    at: datetime
    trigger: Trigger | None  # None: nothing asked for a training
    action: Action
    reason: str
    since_seq: int  # new conversations are those from here on
    window: int | None = None
    requested_by: str | None = None
    id: int | None = None  # given by the ledger


class RunState(StrEnum):
    """Where a run stands. Ended ones never change again."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One training: its exact request in, its artifact and scores out."""

    id: str
    decision_id: int
    state: RunState
    request: Mapping[str, object]
    started_at: datetime
    since_seq: int
    until_seq: int  # the newest conversation it learned from
    ended_at: datetime | None = None
    progress: Mapping[str, object] | None = None
    result: Mapping[str, object] | None = None
    error: str | None = None
