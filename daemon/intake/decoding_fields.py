"""Reads single fields of a parsed record. Each reader returns a checked value or raises BadRecord."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import orjson

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import HIGHEST_RATING, JSON, LOWEST_RATING, Feedback, Thumb

Object: TypeAlias = Mapping[str, JSON]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_THUMBS: Mapping[str, Thumb] = {"up": "up", "down": "down"}
#: From here on a number is milliseconds: 1973 in milliseconds, the year 5138 in seconds.
_FIRST_MILLISECONDS = 1e11
_LEFT_OUT = "retuned.left_out"
_MAX_NAMES_LEFT_OUT = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a record may cost us. Larger values take more memory per record, nothing else."""

    max_record_bytes: int = 2**20  # checked before parsing
    max_messages: int = 1000
    max_content_chars: int = 100_000  # of one message, or of a correction
    max_id_chars: int = 256  # of ids and names
    max_metadata_bytes: int = 16_384  # as JSON; fields beyond it are left out, their names kept
    max_metadata_depth: int = 16
    #: How far a record's time may be ahead of ours; clocks differ.
    max_ahead: timedelta = timedelta(days=1)


def name(record: Object, key: str, limits: Limits, at: str = "") -> str:
    """Read an id or a name: 1 to ``max_id_chars`` characters, no control characters."""
    value = optional_name(record, key, limits, at)
    if value is None:
        raise BadRecord(Reason.MISSING_FIELD, at + key, "is required")
    return value


def optional_name(record: Object, key: str, limits: Limits, at: str = "") -> str | None:
    """Read an id or a name; None where it is absent or null."""
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRecord(Reason.BAD_FIELD, at + key, f"must be a string, not {kind(value)}")
    if not value:
        raise BadRecord(Reason.BAD_FIELD, at + key, "is empty")
    if len(value) > limits.max_id_chars:
        raise BadRecord(
            Reason.OVER_LIMIT, at + key, f"has {len(value)} characters; allowed are {limits.max_id_chars}"
        )
    if _CONTROL.search(value):
        raise BadRecord(Reason.BAD_FIELD, at + key, "contains control characters")
    return value


def text(value: JSON, at: str, limits: Limits) -> str:
    """Check a text: not blank, no NUL, at most ``max_content_chars``."""
    if not isinstance(value, str):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be a string, not {kind(value)}")
    if not value or value.isspace():
        raise BadRecord(Reason.BAD_FIELD, at, "is empty")
    if len(value) > limits.max_content_chars:
        raise BadRecord(
            Reason.OVER_LIMIT, at, f"has {len(value)} characters; allowed are {limits.max_content_chars}"
        )
    if "\0" in value:
        raise BadRecord(Reason.BAD_FIELD, at, "contains a NUL character")
    return value


def time(record: Object, key: str, limits: Limits, received_at: datetime, at: str = "") -> datetime:
    """Read a time: ISO 8601 (UTC where it names no offset), unix seconds or unix milliseconds."""
    value = record.get(key)
    if value is None:
        raise BadRecord(Reason.MISSING_FIELD, at + key, "is required")
    try:
        moment = _moment(value)
    except (ValueError, OverflowError, OSError):
        raise BadRecord(Reason.BAD_FIELD, at + key, "is not a time") from None
    if moment is None:
        raise BadRecord(
            Reason.BAD_FIELD, at + key, f"must be ISO 8601, unix seconds or milliseconds, not {kind(value)}"
        )
    if moment - received_at > limits.max_ahead:
        raise BadRecord(
            Reason.OVER_LIMIT, at + key, f"is {moment.isoformat()}, in the future; check the clock"
        )
    return moment


def _moment(value: JSON) -> datetime | None:
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0:
            raise ValueError(value)
        return datetime.fromtimestamp(value / 1000 if value >= _FIRST_MILLISECONDS else value, UTC)
    return None


def feedback(value: JSON, limits: Limits) -> Feedback | None:
    """Read feedback; None where it is absent or null. Fields that we don't know are ignored."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise BadRecord(Reason.BAD_FIELD, "feedback", f"must be an object, not {kind(value)}")
    thumb, rating, correction = value.get("thumb"), value.get("rating"), value.get("correction")
    if thumb is None and rating is None and correction is None:
        raise BadRecord(Reason.MISSING_FIELD, "feedback", "needs a thumb, a rating or a correction")
    return Feedback(
        thumb=None if thumb is None else _thumb(thumb),
        rating=None if rating is None else _rating(rating),
        correction=None if correction is None else text(correction, "feedback.correction", limits),
    )


def _thumb(value: JSON) -> Thumb:
    if not isinstance(value, str) or value not in _THUMBS:
        raise BadRecord(Reason.BAD_FIELD, "feedback.thumb", 'must be "up" or "down"')
    return _THUMBS[value]


def _rating(value: JSON) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRecord(Reason.BAD_FIELD, "feedback.rating", f"must be a number, not {kind(value)}")
    if not LOWEST_RATING <= value <= HIGHEST_RATING:
        raise BadRecord(
            Reason.BAD_FIELD,
            "feedback.rating",
            f"must be from {LOWEST_RATING:g} (worst) to {HIGHEST_RATING:g} (best)",
        )
    return float(value)


def metadata(fields: Object, limits: Limits) -> dict[str, JSON]:
    """Keep fields while they fit, in their order; name those that didn't under ``retuned.left_out``."""
    kept: dict[str, JSON] = {}
    left_out: list[str] = []
    room = limits.max_metadata_bytes
    for key, value in fields.items():
        fits = not _deeper_than(limits.max_metadata_depth, value)
        if fits and (size := len(orjson.dumps({key: value}))) <= room:
            kept[key] = value
            room -= size
        elif len(left_out) < _MAX_NAMES_LEFT_OUT:
            left_out.append(key[: limits.max_id_chars])
    if left_out:
        kept[_LEFT_OUT] = left_out
    return kept


def _deeper_than(depth: int, value: JSON) -> bool:
    """Tell whether lists and objects are nested more than ``depth`` times. Recurses that deep only."""
    if isinstance(value, str) or not isinstance(value, list | Mapping):
        return False
    inner = value.values() if isinstance(value, Mapping) else value
    return depth <= 0 or any(_deeper_than(depth - 1, item) for item in inner)


def kind(value: JSON) -> str:
    """Name a value's JSON type, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case Mapping():
            return "an object"
        case _:
            return "a list"
