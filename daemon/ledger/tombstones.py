"""Stores tombstones: keyed hashes of erased users and conversations, whose records intake drops."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from sqlalchemy import Connection, func, select

from daemon.ledger.database import insert_or_ignore
from daemon.ledger.tables import erasures, tombstones


class Tombstones:
    """The erased users and conversations. Intake reads them in its own transaction, so that it misses no erasure."""

    def __init__(self) -> None:
        self._newest = 0  # erasure that was read
        self._subjects: set[str] = set()

    def read(self, connection: Connection) -> AbstractSet[str]:
        """Return the hashes of all erased subjects. Call it before the transaction adds any.

        Erasures are appended in intake order, so only the tombstones of new ones are loaded.
        """
        newest = connection.scalar(select(func.max(erasures.c.id))) or 0
        if newest > self._newest:
            added = select(tombstones.c.subject).where(tombstones.c.erasure_id > self._newest)
            self._subjects |= set(connection.scalars(added))
            self._newest = newest
        return self._subjects


def add_tombstones(connection: Connection, erasure_ids: Mapping[str, int]) -> None:
    """Insert the tombstones that are not there yet, each with its entry in the log of erasures.

    The conversations of a user need tombstones of their own, because feedback may name only a conversation.
    """
    rows = [{"subject": hash_, "erasure_id": id_} for hash_, id_ in erasure_ids.items()]
    connection.execute(insert_or_ignore(connection, tombstones), rows)
