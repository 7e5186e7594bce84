"""Records on their way into the ledger, and conversations in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from daemon.domain.conversation import JSON, Conversation, Feedback, Message
from daemon.domain.halts import Halt
from daemon.domain.lessons import Judged
from daemon.domain.turns import Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Coordinates:
    """The place of a record in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NewConversation:
    """A conversation to store, with its side of the holdout split.

    Group and side are those that it has by itself. Where it continues a stored one, it takes that one's side.
    """

    conversation: Conversation
    at: Coordinates
    user_hash: str | None
    session_hash: str | None = None  # keyed hash of the session
    group: str  # conversations of one group are dependent: the hash of the user, else of the session or conversation
    conversation_hash: str  # keyed hash of the id
    held_out: bool
    turns: tuple[Turn, ...]
    text_digest: str  # equal for conversations with the same words
    record_sha256: str
    source: str | None = None  # the tenant that produced it
    #: Of the original record, for its dead letter if it is set aside; None if dead letters keep no bytes.
    key: bytes | None = None
    value: bytes | None = None
    size: int = 0
    requeued: Coordinates | None = None  # of the dead letter that this record was requeued from


@dataclass(frozen=True, kw_only=True, slots=True)
class NewFeedback:
    """Feedback to store."""

    conversation_id: str
    at: Coordinates
    when: datetime
    feedback: Feedback
    conversation_hash: str = ""  # keyed hashes, to be compared with tombstones
    user_hash: str | None = None
    admitted: bool = True  # by its own metadata; if not, it is kept only if its conversation is stored
    belongs_to: str | None = None  # the id of the row that it is about, where that is another id

    @property
    def row_id(self) -> str:
        """The id of the row that it is about."""
        return self.belongs_to or self.conversation_id


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """A record that can't be used, with its original bytes, or only their digest (dead_letters.keep)."""

    at: Coordinates
    reason: str
    field: str
    message: str
    key: bytes | None
    value: bytes | None
    when: datetime
    digest: str | None = None  # sha256 of the record's value; None if it has none
    size: int = 0  # bytes of the record's value
    #: Keyed hashes of the users and conversations that it names, as far as they can be read; not stored.
    subjects: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Tombstone:
    """A record without a value: its producer deleted the conversation that its key names."""

    at: Coordinates
    conversation_id: str
    conversation_hash: str  # keyed hash of the id


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredDeadLetter:
    """A dead letter in the ledger."""

    id: int
    letter: DeadLetter
    published_at: datetime | None
    requeued_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """The records of one poll, and the offsets to continue from."""

    conversations: tuple[NewConversation, ...] = ()
    feedback: tuple[NewFeedback, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()  # whose conversations are to be erased
    next_offsets: Mapping[tuple[str, int], int] = field(default_factory=dict)  # (topic, partition) -> offset
    topic_ids: Mapping[str, str] = field(default_factory=dict)  # of the topics that have one
    received_at: datetime


@dataclass(frozen=True, slots=True)
class PastMessage:
    """A message of a conversation's history, and where it is stored."""

    message: Message
    seq: int  # of the row that holds it; 0: the row that it is the history of
    index: int  # among that row's messages


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredConversation:
    """A conversation in the ledger, or the turns that one record added to it. ``seq`` orders all of them.

    ``messages`` are the turns that the record added; ``history`` came before them and is stored elsewhere.
    """

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
    labels: tuple[tuple[str, str], ...] = ()  # (metadata field, value), for the fields that the settings name
    tools: tuple[Mapping[str, JSON], ...] = ()
    documents: tuple[Mapping[str, JSON], ...] = ()
    thread: int = 0  # the seq of the first record of its conversation; 0 if it is known from elsewhere
    history: tuple[PastMessage, ...] = ()  # oldest first, with the system prompt; empty unless it was read
    #: Whether turns of its history are no longer stored, so that its prompt is not known.
    history_gone: bool = False
    correction: str | None = None  # of the last answer: the newest that came later, else the record's own
    corrected_by: str | None = (
        None  # digest of the feedback record that ``correction`` is of; None: the record's own
    )
    record_correction: str | None = None  # the record's own, which a later one does not replace
    rejected: Message | None = (
        None  # another answer to the last prompt that people liked less than the last one
    )
    taught: Message | None = None  # a teacher's answer to the last prompt

    @property
    def judged(self) -> Judged:
        """What is known of its answers by now."""
        return Judged(
            version=self.version,
            messages=self.messages,
            score=self.feedback,
            correction=self.correction,
            rejected=self.rejected,
            taught=self.taught,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredCorrection:
    """A correction that came after its conversation."""

    digest: str  # of its feedback record
    at: Coordinates
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchResult:
    """What a batch changed. If ``refused``, it changed nothing, as intake was halted in the meantime."""

    conversations: int  # records that brought new turns
    held_out: int  # of these
    feedback: int
    dead_letters: int
    duplicates: int  # conversations that are stored already
    windows: int
    continued: int = 0  # of the conversations, those that continue a stored one
    continued_held_out: int = 0  # of these
    repeated: int = 0  # records of which another one brought all turns
    forgotten: int = 0  # dropped records of forgotten users and conversations
    not_admitted: int = 0  # dropped feedback that is not admitted, and whose conversation is not stored
    set_aside: int = 0  # conversations of users who sent too many, now dead letters
    erasures: int = 0  # entries in the log of erasures that its tombstones caused
    #: Of records of conversations that these erased: their dead letters are on the dead-letter topic.
    published: tuple[Coordinates, ...] = ()
    halt: Halt | None = None  # the halt that its dead letters caused
    refused: bool = False
