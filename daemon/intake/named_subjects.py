"""Finds the users and conversations that a record names, even if it can't be decoded."""

from collections.abc import Iterator, Mapping

import orjson

#: The paths of the user's and the conversation's id, in each shape of a record.
_USER_PATHS = ("user_id",), ("request", "user")
_CONVERSATION_PATHS = ("conversation_id",), ("response", "id")


def named_subjects(value: bytes | None, *, max_bytes: int) -> tuple[list[str], list[str]]:
    """Return the user ids and the conversation ids in a record.

    Both are empty if the record is not JSON or has more than ``max_bytes``.
    """
    if not value or len(value) > max_bytes:
        return [], []
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:
        return [], []
    return list(_ids(record, _USER_PATHS)), list(_ids(record, _CONVERSATION_PATHS))


def _ids(record: object, paths: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    for path in paths:
        found = record
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, str | int) and not isinstance(found, bool):
            yield str(found)
