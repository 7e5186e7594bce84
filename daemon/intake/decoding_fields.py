"""Reads and checks single fields of a parsed record; each function returns a checked value or raises BadRecord."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

import orjson

from daemon.config.settings import LimitsSection
from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON
from daemon.intake.times import NoTimeOfDay, is_unset, moment

Object: TypeAlias = Mapping[str, JSON]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAX_ID_CHARS = 256  # of ids and names
_EXTENDED_IDS = ("$oid", "$uuid", "$numberLong", "$numberInt")  # of MongoDB's extended JSON
#: Where objects that stand for a person or a chat have the id.
_HELD_IDS = ("id", "_id", "user_id", "userId", "uid", "sub", "uuid", "email")
_EXACT = 2**53  # below it a number of any language is exact
_MAX_METADATA_BYTES = 16_384  # as JSON
_MAX_METADATA_DEPTH = 16
#: How far a record's time may be ahead of the local clock: clocks differ.
_MAX_AHEAD = timedelta(days=1)
_LEFT_OUT = "retuned.left_out"
_MAX_NAMES_LEFT_OUT = 32


def name(record: Object, key: str, at: str = "") -> str:
    """Read an id or a name: 1 to 256 characters, no control characters."""
    value = optional_name(record, key, at)
    if value is None:
        raise BadRecord(Reason.MISSING_FIELD, at + key, "is required")
    return value


def optional_name(record: Object, key: str, at: str = "") -> str | None:
    """Read an id or a name; None if it is absent, null or empty. Numbers are read as their digits.

    Objects are those of MongoDB, such as ``{"$oid": "..."}``, and those that hold the id in a field ``id``.
    """
    value = record.get(key)
    if value is None or value == "" or (isinstance(value, str) and value.isspace()):
        return None
    if not isinstance(value, str):
        value = _id_text(value, at + key)
    if len(value) > _MAX_ID_CHARS:
        raise BadRecord(
            Reason.OVER_LIMIT, at + key, f"has {len(value)} characters; allowed are {_MAX_ID_CHARS}"
        )
    if _CONTROL.search(value):
        raise BadRecord(Reason.BAD_FIELD, at + key, "contains control characters")
    return value


def _id_text(value: JSON, at: str) -> str:
    inner = _held_id(value) if isinstance(value, Mapping) else value
    if isinstance(inner, str) and inner:
        return inner
    if isinstance(inner, int) and not isinstance(inner, bool):
        return str(inner)
    if isinstance(inner, float) and inner.is_integer() and abs(inner) < _EXACT:
        return str(int(inner))
    raise BadRecord(Reason.BAD_FIELD, at, f"must be a string or a whole number, not {kind(value)}")


def _held_id(value: Object) -> JSON:
    for name in _HELD_IDS:
        if value.get(name) is not None:
            inner = value[name]
            return _held_id(inner) if isinstance(inner, Mapping) and name not in inner else inner
    return next((value[key] for key in _EXTENDED_IDS if value.keys() == {key}), None)


def text(value: JSON, at: str, limits: LimitsSection) -> str:
    """Check a text: not blank, no NUL, at most ``limits.message_chars`` characters."""
    if not isinstance(value, str):
        raise BadRecord(Reason.BAD_FIELD, at, f"must be a string, not {kind(value)}")
    if not value or value.isspace():
        raise BadRecord(Reason.BAD_FIELD, at, "is empty")
    if len(value) > limits.message_chars:
        raise BadRecord(
            Reason.OVER_LIMIT, at, f"has {len(value)} characters; allowed are {limits.message_chars}"
        )
    if "\0" in value:
        raise BadRecord(Reason.BAD_FIELD, at, "contains a NUL character")
    return value


def time(
    record: Object, key: str, received_at: datetime, at: str = "", *, otherwise: datetime | None = None
) -> datetime:
    """Read a time, in any of the forms of :mod:`daemon.intake.times`, at most a day after ``received_at``.

    ``otherwise`` is the time of a record that names none; None: it must name one.
    """
    value = record.get(key)
    if is_unset(value):
        if otherwise is not None:
            return otherwise
        raise BadRecord(Reason.MISSING_FIELD, at + key, "is required")
    try:
        found = moment(value)
    except NoTimeOfDay:
        raise BadRecord(
            Reason.BAD_FIELD, at + key, "is a day without a time of day, which puts no conversation in order"
        ) from None
    except (ValueError, OverflowError, OSError):
        raise BadRecord(Reason.BAD_FIELD, at + key, "is not a time") from None
    if found is None:
        raise BadRecord(Reason.BAD_FIELD, at + key, f"must be ISO 8601 or a unix time, not {kind(value)}")
    if found - received_at > _MAX_AHEAD:
        raise BadRecord(
            Reason.OVER_LIMIT, at + key, f"is {found.isoformat()}, in the future; check the clock"
        )
    return found


def metadata(fields: Object) -> dict[str, JSON]:
    """Keep fields, in order, while they fit into 16 KiB; list the names of the others under ``retuned.left_out``."""
    kept: dict[str, JSON] = {}
    left_out: list[str] = []
    room = _MAX_METADATA_BYTES
    for key, value in fields.items():
        fits = not deeper_than(_MAX_METADATA_DEPTH, value)
        if fits and (size := len(orjson.dumps({key: value}))) <= room:
            kept[key] = value
            room -= size
        elif len(left_out) < _MAX_NAMES_LEFT_OUT:
            left_out.append(key[:_MAX_ID_CHARS])
    if left_out:
        kept[_LEFT_OUT] = left_out
    return kept


def deeper_than(depth: int, value: JSON) -> bool:
    """Return whether lists and objects are nested more than ``depth`` times. Recurses no deeper than that."""
    if isinstance(value, dict):
        inner: Iterable[JSON] = value.values()
    elif isinstance(value, list):
        inner = value
    else:
        return False
    if depth <= 0:
        return True
    for item in inner:  # noqa: SIM110 - any() with a generator takes twice the time
        if isinstance(item, dict | list) and deeper_than(depth - 1, item):
            return True
    return False


def kind(value: JSON) -> str:
    """Return the name of a value's JSON type, for messages."""
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
