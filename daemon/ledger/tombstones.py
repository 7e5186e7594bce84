"""Remembers erased users and conversations by their keyed hashes, so that their records are dropped when they return."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from daemon.ledger.tables import tombstones


class Tombstones:
    """The users and conversations whose records are dropped, read in the intake's transaction so that no erasure is missed."""

    def __init__(self) -> None:
        self._count = 0
        self._subjects: frozenset[str] = frozenset()

    def read(self, connection: Connection) -> frozenset[str]:
        """Return the hashes of all that were erased. Tombstones are only added, so their count tells when to reload."""
        count = connection.scalar(select(func.count()).select_from(tombstones)) or 0
        if count != self._count:
            self._subjects = frozenset(connection.scalars(select(tombstones.c.subject)))
            self._count = count
        return self._subjects


def add_tombstones(connection: Connection, hashes: Sequence[str], erasure_id: int | None) -> None:
    """Leave tombstones for users and conversations. A user's conversations need their own: feedback may name only them."""
    known = set(connection.scalars(select(tombstones.c.subject)))
    rows = [
        {"subject": hash_, "erasure_id": erasure_id} for hash_ in dict.fromkeys(hashes) if hash_ not in known
    ]
    if rows:
        connection.execute(insert(tombstones), rows)
