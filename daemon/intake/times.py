"""Reads points in time, in the forms in which languages and databases write them."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from daemon.domain.conversation import JSON

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The smallest numbers that count milliseconds, microseconds and nanoseconds: the year 1973 in each. In the unit before
#: they would be the year 5138.
_FIRST_MILLISECONDS, _FIRST_MICROSECONDS, _FIRST_NANOSECONDS = 10**11, 10**14, 10**17
#: RFC 3339 as it is written in practice: a space for the T, more digits than microseconds, an offset with or without its
#: colon, the zone's name behind it, and Go's reading of the monotonic clock.
_WRITTEN = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<time>\d\d:\d\d(?::\d\d)?)(?:[.,](?P<fraction>\d{1,9})\d*)?"
    r" ?(?P<offset>[Zz]|[+-]\d\d(?::?\d\d)?)?(?: ?(?:UTC|GMT|Z))?(?:\[[\w/+-]+\])?(?: m=\S+)?"
)
_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,20})?(?:[eE]\+?\d{1,2})?", re.ASCII)
#: Numbers that count no seconds: those of days, as spreadsheets have them, and dates such as 20261120.
_FIRST_DAY, _LAST_DATE = 20_000, 10**8
#: .NET's older form of JSON: milliseconds, and an offset that says only where the clock stood.
_DOT_NET = re.compile(r"\\?/Date\((-?\d{1,15})(?:[+-]\d{4})?\)\\?/", re.ASCII)
_DATE_ONLY = re.compile(r"\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d-?\d")
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})")
_LOCAL_PARTS = range(5, 8)  # year, month, day, hour, minute; second; nanosecond
_DAY_PARTS = 3


class NoTimeOfDay(ValueError):
    """A day without a time of day."""


def moment(value: JSON) -> datetime | None:
    """Return the instant that a value means, in UTC; None if values of its type mean none.

    Texts are ISO 8601, RFC 3339 or HTTP dates, in UTC if they name no offset. Numbers count from 1970; their magnitude
    tells whether seconds, milliseconds, microseconds or nanoseconds; from 20,000 to 100,000,000 they are days. Objects are those of MongoDB, protobuf and Firestore,
    lists those of Java. Raises ValueError and OverflowError for what is no time, NoTimeOfDay for a day.
    """
    match value:
        case bool() | None:
            return None
        case int() | float():
            return _counted(value)
        case str():
            return _written(value.strip())
        case Mapping():
            return _from_object(value)
        case Sequence():
            return _from_parts(value)


def _counted(value: float) -> datetime:
    if value < 0 or _FIRST_DAY <= value < _LAST_DATE:
        raise ValueError(value)
    if value >= _FIRST_NANOSECONDS:
        return _EPOCH + timedelta(microseconds=value // 1000)
    if value >= _FIRST_MICROSECONDS:
        return _EPOCH + timedelta(microseconds=value)
    if value >= _FIRST_MILLISECONDS:
        return _EPOCH + timedelta(milliseconds=value)
    return _EPOCH + timedelta(seconds=value)


def _written(text: str) -> datetime:
    if text[10:11] == "T":  # as nearly all are written: a shortcut
        try:
            return _in_utc(datetime.fromisoformat(text))
        except ValueError:
            pass
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return _written_otherwise(text)
    fraction = found["fraction"]
    micros = f".{fraction[:6]:0<6}" if fraction else ""
    seconds = "" if found["time"].count(":") == 2 else ":00"
    read = datetime.fromisoformat(
        f"{found['date']}T{found['time']}{seconds}{micros}{(found['offset'] or 'Z').upper()}"
    )
    return read.astimezone(UTC)


def _written_otherwise(text: str) -> datetime:
    if _DATE_ONLY.fullmatch(text):
        raise NoTimeOfDay(text)
    if _NUMBER.fullmatch(text):
        return _counted(int(text) if text.isdecimal() else float(text))
    if (milliseconds := _DOT_NET.fullmatch(text)) is not None:
        return _EPOCH + timedelta(milliseconds=int(milliseconds[1]))
    read = parsedate_to_datetime(text) if _HTTP_DATE.fullmatch(text) else datetime.fromisoformat(text)
    return _in_utc(read)


def _in_utc(read: datetime) -> datetime:
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


#: Seconds and nanoseconds: protobuf's, Firestore's, and those of Java's Instant.
_INSTANTS = (("seconds", "nanos"), ("_seconds", "_nanoseconds"), ("epochSecond", "nano"))


def is_unset(value: JSON) -> bool:
    """Return whether a value is what producers write for no time: null, an empty text, or Go's and .NET's zero."""
    return value is None or value == "" or (isinstance(value, str) and value.startswith("0001-01-01"))


def _from_object(value: Mapping[str, JSON]) -> datetime | None:
    keys = value.keys()
    if keys == {"$date"}:  # MongoDB's: a text, or milliseconds
        inner = value["$date"]
        if (millis := _number(inner)) is not None:
            return _EPOCH + timedelta(milliseconds=millis)
        return _written(inner) if isinstance(inner, str) else None
    if "iso" in keys and isinstance(inner := value["iso"], str):  # Parse's
        return _written(inner)
    if keys == {"$timestamp"}:
        inner = value["$timestamp"]
        whole = _number(inner.get("t")) if isinstance(inner, Mapping) else None
        return None if whole is None else _counted(whole)
    for seconds, nanos in _INSTANTS:
        if seconds in keys and keys <= {seconds, nanos}:
            whole, rest = _number(value[seconds]), _number(value.get(nanos, 0))
            return (
                None
                if whole is None or rest is None
                else _counted(whole) + timedelta(microseconds=rest // 1000)
            )
    number = _number(value)
    return None if number is None else _counted(number)


def _number(value: JSON) -> float | None:
    """Return a number, also one in MongoDB's or protobuf's form; None if it is none."""
    if isinstance(value, Mapping) and len(value) == 1:
        value = value.get("$numberLong", value.get("$numberInt", value.get("$numberDouble")))
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return None
        value = int(value) if value.isdecimal() else float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _from_parts(parts: Sequence[JSON]) -> datetime:
    numbers = [part for part in parts if isinstance(part, int) and not isinstance(part, bool)]
    if len(numbers) != len(parts) or len(parts) not in (_DAY_PARTS, *_LOCAL_PARTS):
        raise ValueError(len(parts))
    if len(parts) == _DAY_PARTS:
        raise NoTimeOfDay
    year, month, day, hour, minute, second, nanos = (*numbers, 0, 0)[:7]
    return datetime(year, month, day, hour, minute, second, nanos // 1000, tzinfo=UTC)
