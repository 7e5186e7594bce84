"""Unusable records and the reasons for it."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a record can't be used; labels metrics and dead letters."""

    EMPTY = "empty"  # zero bytes
    TOO_LARGE = "too_large"  # more bytes than a record may have
    NOT_JSON = "not_json"  # not JSON in strict UTF-8, such as NaN; broken gzip
    UNKNOWN_SHAPE = "unknown_shape"  # JSON of none of the documented shapes
    MISSING_FIELD = "missing_field"
    BAD_FIELD = "bad_field"  # a field of the wrong type or with a value that is not allowed
    BAD_TURNS = "bad_turns"  # messages in an order that makes no conversation
    UNSUPPORTED = "unsupported"  # tool calls, images: a model can't learn them from the text alone
    OVER_LIMIT = "over_limit"  # too many messages, too long a message, too far in the future
    NO_CONVERSATION = (
        "no_conversation"  # in order, but nothing to learn from: see Absence; never a dead letter
    )
    BURST = (
        "burst"  # too many records of one user: set aside, so that they affect neither windows nor training
    )


class Absence(StrEnum):
    """Why a record that is in order holds no conversation; labels metrics."""

    FAILED = "failed"  # the call failed: an error, a timeout, an HTTP status from 400 on
    REDACTED = "redacted"  # the gateway left the texts out, or put a placeholder in their place
    NO_QUESTION = "no_question"  # no user says anything
    NO_ANSWER = "no_answer"  # no assistant says anything
    NO_TEXT = "no_text"  # it has images, audio or files, and intake.media is drop
    NOT_CHAT = "not_chat"  # of another kind: embeddings, a span of a tool, an event without messages
    UNUSABLE_FEEDBACK = "unusable_feedback"  # late feedback that holds no opinion that can be read
    NOT_HUMAN = "not_human"  # a score that a program or a model gave


#: Records that were set aside although they are valid; they do not count towards the halt on dead letters.
NOT_COUNTED = frozenset({Reason.BURST})


class BadRecord(Exception):
    """A record can't be used. It becomes a dead letter, and intake continues.

    The message quotes no content of the conversation, so it may be logged.
    """

    def __init__(self, reason: Reason, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.reason = reason
        self.field = field  # a path such as messages[2].role; empty for the record as a whole
        self.message = message
        self.format: str | None = None  # that the record was recognised as

    def read_as(self, format_name: str) -> None:
        """Add the format that the record was recognised as to the message."""
        if self.format is None:
            self.format = format_name
            self.args = (f"{self} (read as {format_name})",)


class NoConversation(BadRecord):
    """A record is in order and holds no conversation. It is counted by its kind and passed over."""

    def __init__(self, kind: Absence, field: str, message: str) -> None:
        super().__init__(Reason.NO_CONVERSATION, field, message)
        self.kind = kind
