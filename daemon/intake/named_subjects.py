"""Finds the users and conversations that a record names, even if it can't be decoded."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from daemon.config.settings import LimitsSection
from daemon.domain.bad_record import BadRecord
from daemon.domain.conversation import JSON
from daemon.intake import decoding_fields as fields
from daemon.intake.formats.identity import SESSION_FIELDS, USER_FIELDS
from daemon.intake.unwrapping import unwrap

_USERS = frozenset(USER_FIELDS)
_CONVERSATIONS = frozenset((*SESSION_FIELDS, "id", "trace_id", "traceId"))
#: Levels that are searched: producers name people near the top.
_DEPTH = 6
_MOST_IDS = 1_000


def named_subjects(
    value: bytes | None, *, limits: LimitsSection, headers: Sequence[tuple[str, bytes]] = ()
) -> tuple[list[str], list[str]]:
    """Return the user ids and the conversation ids in a record, under any name that producers use for them.

    Both are empty if the record can't be unwrapped.
    """
    try:
        documents = unwrap(value or b"", limits=limits, headers=headers)
    except BadRecord:
        return [], []
    users: dict[str, None] = {}
    conversations: dict[str, None] = {}
    for name, id_ in (found for document in documents for found in _ids(document, _DEPTH)):
        found = users if name in _USERS else conversations
        if len(found) < _MOST_IDS:
            found[id_] = None
    return list(users), list(conversations)


def _ids(value: JSON, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the ids in a value, each with the name of its field."""
    if depth == 0 or isinstance(value, str):
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in _USERS or name in _CONVERSATIONS:
                with contextlib.suppress(BadRecord):
                    if (id_ := fields.optional_name(value, name)) is not None:
                        yield name, id_
            yield from _ids(inner, depth - 1)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _ids(inner, depth - 1)
