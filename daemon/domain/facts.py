"""The facts that the ledger keeps: immutable values that the stages hand to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from daemon.domain.conversation import Conversation, Feedback, Message
from monitors.types import Aspect, Outcome


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
    #: Of the record as it came, for its dead letter if it is set aside; empty where dead letters keep no bytes.
    key: bytes | None = None
    value: bytes | None = None
    size: int = 0
    requeued: Coordinates | None = None  # of the dead letter that an operator put back as this record


@dataclass(frozen=True, kw_only=True, slots=True)
class NewFeedback:
    """Feedback on its way into the ledger."""

    conversation_id: str
    at: Coordinates
    when: datetime
    feedback: Feedback
    conversation_hash: str = ""  # keyed hashes, by which the forgotten are known
    user_hash: str | None = None
    admitted: bool = True  # by what it says itself; else it is kept only if its conversation is


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """A record that can't be used, with its original bytes, or their digest where the settings say so."""

    at: Coordinates
    reason: str
    field: str
    message: str
    key: bytes | None
    value: bytes | None
    when: datetime
    digest: str | None = None  # sha256 of the record's value; None where it had none
    size: int = 0  # bytes of the record's value
    #: Keyed hashes of the user and conversation that it names, as far as that can be read; not stored.
    subjects: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredDeadLetter:
    """A dead letter in the ledger."""

    id: int
    letter: DeadLetter
    published_at: datetime | None
    requeued_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What one poll brought, and where to go on reading."""

    conversations: tuple[NewConversation, ...] = ()
    feedback: tuple[NewFeedback, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    next_offsets: Mapping[tuple[str, int], int] = field(default_factory=dict)  # (topic, partition) -> offset
    topic_ids: Mapping[str, str] = field(default_factory=dict)  # of the topics whose broker tells one
    received_at: datetime


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


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchResult:
    """What a batch changed. With ``refused`` it changed nothing: intake was halted meanwhile."""

    conversations: int
    held_out: int
    feedback: int
    dead_letters: int
    duplicates: int
    windows: int
    forgotten: int = 0  # records of forgotten users and conversations, which were dropped
    not_admitted: int = 0  # feedback that nothing says may be kept, which was dropped
    set_aside: int = 0  # conversations of users who sent too many; dead letters now
    halt: Halt | None = None  # that its dead letters brought about
    refused: bool = False


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
    labels: tuple[tuple[str, str], ...] = ()  # (field of the metadata, value), where the settings name fields


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """The first window of an unbroken wish to train: drift that no training has answered yet."""

    window: int
    first_seq: int  # the change is in conversations from here on
    reason: str
    at: datetime
    confirmed: bool = True  # by a fresh window; until then it is no reason to train
    leading: Aspect | None = None  # what changed most, by the detector


@dataclass(frozen=True, kw_only=True, slots=True)
class Triage:
    """Whether a confirmed alarm's change hurts, and what is to be done about it."""

    window: int  # of the alarm
    reference_id: int  # that it was raised against
    since_seq: int  # about where the change is
    version: str  # that was live
    outcome: Outcome
    reason: str
    numbers: Mapping[str, float]
    examples: tuple[str, ...]  # ids of conversations that show the reason
    at: datetime
    decision_id: int | None = None  # the last decision that took it into account
    id: int | None = None  # given by the ledger


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
