"""Why a record can't be used."""

from enum import StrEnum


class Reason(StrEnum):
    """A small closed set: it labels metrics and dead letters."""

    EMPTY = "empty"  # no value at all (a tombstone), or zero bytes
    TOO_LARGE = "too_large"  # more bytes than a record may have
    NOT_JSON = "not_json"  # not JSON in strict UTF-8; NaN and lone surrogates are not JSON
    UNKNOWN_SHAPE = "unknown_shape"  # JSON, but none of the shapes
    MISSING_FIELD = "missing_field"
    BAD_FIELD = "bad_field"  # a field of the wrong type, or with a value that isn't allowed
    BAD_TURNS = "bad_turns"  # messages in an order that is no conversation
    UNSUPPORTED = "unsupported"  # tool calls, images: learning from the text alone would teach to invent
    OVER_LIMIT = "over_limit"  # too many messages, too long a message, too far in the future
    BURST = "burst"  # one user sent more than anybody says: set aside, so that it moves neither windows nor training


#: Set aside by choice; they say nothing about whether the producer and we understand each other.
NOT_COUNTED = frozenset({Reason.BURST})


class BadRecord(Exception):
    """One record can't be used. It belongs with the dead letters, and the stream goes on.

    The message names no content of the conversation: it may be logged.
    """

    def __init__(self, reason: Reason, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.reason = reason
        self.field = field  # a path such as messages[2].role; empty for the record as a whole
        self.message = message
