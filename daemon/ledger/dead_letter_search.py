"""Finds and removes the dead letters that name a user or conversation."""

import json
import re
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from daemon.domain.records import Coordinates
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import dead_letters


def remove_dead_letters_naming(
    connection: Connection, ids: Sequence[str]
) -> tuple[int, tuple[Coordinates, ...]]:
    """Remove dead letters whose key or value contains one of the ids, plain or JSON-escaped.

    Return how many were removed, and the coordinates of those that had been published.
    """
    patterns = [_whole_id(id_) for id_ in dict.fromkeys(ids)]
    columns = (dead_letters.c.id, dead_letters.c.key, dead_letters.c.value, dead_letters.c.published_at)
    at = (dead_letters.c.topic, dead_letters.c.partition, dead_letters.c.offset)
    found, published = [], []
    for id_, key, value, sent, *place in connection.execute(select(*columns, *at)):
        if any(pattern.search(text) for text in (key, value) if text for pattern in patterns):
            found.append(id_)
            if sent is not None:
                published.append(Coordinates(topic=place[0], partition=place[1], offset=place[2]))
    connection.execute(delete(dead_letters).where(in_values(connection, dead_letters.c.id, found)))
    return len(found), tuple(published)


def _whole_id(id_: str) -> re.Pattern[bytes]:
    """Return a pattern that matches an id in bytes that may be broken JSON, but not within a longer id.

    So ``u-1`` does not match ``u-12``.
    """
    escaped = json.dumps(id_)[1:-1]
    upper = re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), escaped)
    forms = {form for plain in (id_, escaped, upper) for form in (plain, plain.replace("/", r"\/"))}
    either = b"|".join(re.escape(form.encode()) for form in sorted(forms))
    return re.compile(rb"(?<![0-9A-Za-z_-])(?:" + either + rb")(?![0-9A-Za-z_-])")
