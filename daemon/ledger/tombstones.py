"""Stores tombstones: keyed hashes of erased users and conversations, whose records intake drops."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from daemon.ledger.tables import tombstones


class Tombstones:
    """The erased users and conversations. Intake reads them in its own transaction, so that it misses no erasure."""

    def __init__(self) -> None:
        self._count = 0
        self._subjects: frozenset[str] = frozenset()

    def read(self, connection: Connection) -> frozenset[str]:
        """Return the hashes of all erased subjects. They are loaded only if their count has changed, as none is ever removed."""
        count = connection.scalar(select(func.count()).select_from(tombstones)) or 0
        if count != self._count:
            self._subjects = frozenset(connection.scalars(select(tombstones.c.subject)))
            self._count = count
        return self._subjects


def add_tombstones(connection: Connection, hashes: Sequence[str], erasure_id: int | None) -> None:
    """Insert tombstones that are not there yet.

    The conversations of a user need tombstones of their own, because feedback may name only a conversation.
    """
    known = set(connection.scalars(select(tombstones.c.subject)))
    rows = [
        {"subject": hash_, "erasure_id": erasure_id} for hash_ in dict.fromkeys(hashes) if hash_ not in known
    ]
    if rows:
        connection.execute(insert(tombstones), rows)
