"""Unusable records and the reasons for it."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a record can't be used; labels metrics and dead letters."""

    EMPTY = "empty"  # zero bytes
    TOO_LARGE = "too_large"  # more bytes than a record may have
    NOT_JSON = "not_json"  # not JSON in strict UTF-8; NaN and lone surrogates are not JSON
    UNKNOWN_SHAPE = "unknown_shape"  # JSON of none of the documented shapes
    MISSING_FIELD = "missing_field"
    BAD_FIELD = "bad_field"  # a field of the wrong type or with a value that is not allowed
    BAD_TURNS = "bad_turns"  # messages in an order that makes no conversation
    UNSUPPORTED = "unsupported"  # tool calls, images: a model can't learn them from the text alone
    OVER_LIMIT = "over_limit"  # too many messages, too long a message, too far in the future
    BURST = (
        "burst"  # too many records of one user: set aside, so that they affect neither windows nor training
    )


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
