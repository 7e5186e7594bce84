"""Reads whom a record names, even one that can't be used otherwise."""

from collections.abc import Iterator, Mapping

import orjson

#: Where the shapes of a record have the user, and the conversation.
_USERS = ((), "user_id"), (("request",), "user")
_CONVERSATIONS = ((), "conversation_id"), (("response",), "id")


def named_in(value: bytes | None, *, limit: int) -> tuple[list[str], list[str]]:
    """Return the users and the conversations that a record names; none where it is no JSON, or beyond ``limit`` bytes."""
    if not value or len(value) > limit:
        return [], []
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:
        return [], []
    return list(_at(record, _USERS)), list(_at(record, _CONVERSATIONS))


def _at(record: object, places: tuple[tuple[tuple[str, ...], str], ...]) -> Iterator[str]:
    for path, key in places:
        found = record
        for step in (*path, key):
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, str | int) and not isinstance(found, bool):
            yield str(found)
