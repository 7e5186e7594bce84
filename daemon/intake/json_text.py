"""Reads JSON from bytes: strict UTF-8, with the liberties that loggers take."""

import re

import orjson

from daemon.domain.bad_record import BadRecord, Reason
from daemon.domain.conversation import JSON

_BOM = b"\xef\xbb\xbf"
#: An escape sequence of a JSON string: a pair of surrogates, a lone one, or any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_REPLACEMENT = rb"\ufffd"


def read_json(value: bytes, at: str = "") -> JSON:
    """Return the JSON value of a text. Raises BadRecord, which names the field ``at``.

    A byte order mark is ignored. An escaped surrogate without its pair, as of a text that was cut within an emoji,
    becomes U+FFFD. Several values, one a line, become a list.
    """
    text = value.removeprefix(_BOM)
    try:
        parsed: JSON = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _read_leniently(text, at, error)
    return parsed


def parsed_text(value: JSON) -> JSON:
    """Return the list or object that a JSON text holds; any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        parsed: JSON = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return parsed


def _read_leniently(text: bytes, at: str, error: orjson.JSONDecodeError) -> JSON:
    try:
        text.decode()
    except UnicodeDecodeError as encoding:
        raise BadRecord(Reason.NOT_JSON, at, f"is not UTF-8 (byte {encoding.start})") from None
    if b"\\u" in text and (mended := _ESCAPE.sub(_without_lone_surrogate, text)) != text:
        return read_json(mended, at)
    if (lines := _json_lines(text)) is not None:
        return lines
    raise BadRecord(
        Reason.NOT_JSON, at, f"is not JSON in UTF-8 (line {error.lineno}, column {error.colno})"
    ) from None


def _without_lone_surrogate(escape: re.Match[bytes]) -> bytes:
    return escape[0] if escape[1] is None else _REPLACEMENT


def _json_lines(text: bytes) -> list[JSON] | None:
    """Return the objects of a text with one on each line; None if it is no such text."""
    lines = [line for line in text.split(b"\n") if line.strip()]
    if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines):
        return None
    try:
        return [orjson.loads(line) for line in lines]
    except orjson.JSONDecodeError:
        return None
