"""Records of the topic on their way into the ledger, and conversations in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from daemon.domain.conversation import Conversation, Feedback, Message
from daemon.domain.halts import Halt


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
