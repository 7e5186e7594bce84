"""Stores dead letters: records that can't be used."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from daemon.domain.errors import DaemonError
from daemon.domain.records import Coordinates, DeadLetter, StoredDeadLetter
from daemon.ledger.database import reader, write
from daemon.ledger.tables import dead_letters


class NoSuchDeadLetter(DaemonError):
    """There is no dead letter with this number."""


class DeadLetterLedger:
    """Dead letters, in the order in which intake stored them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def unpublished(self, limit: int) -> list[StoredDeadLetter]:
        """Return dead letters that are not yet published to the dead-letter topic, oldest first."""
        query = select(dead_letters).where(dead_letters.c.published_at.is_(None))
        with self._reads.begin() as connection:
            rows = connection.execute(query.order_by(dead_letters.c.id).limit(limit)).mappings()
            return [_stored(row) for row in rows]

    def mark_published(self, ids: Iterable[int], now: datetime) -> None:
        """Mark dead letters as published to the dead-letter topic."""
        with write(self._engine, "deadletter.published") as connection:
            which = dead_letters.c.id.in_(list(ids))
            connection.execute(update(dead_letters).where(which).values(published_at=now))

    def newest(
        self,
        limit: int,
        *,
        reason: str | None = None,
        before: int | None = None,
        requeued: bool | None = None,
    ) -> list[StoredDeadLetter]:
        """Return the newest dead letters, newest first.

        They can be restricted to one reason, to numbers below ``before``, and to those that were requeued or not.
        """
        query = select(dead_letters).order_by(dead_letters.c.id.desc()).limit(limit)
        if reason is not None:
            query = query.where(dead_letters.c.reason == reason)
        if before is not None:
            query = query.where(dead_letters.c.id < before)
        if requeued is not None:
            done = dead_letters.c.requeued_at.is_not(None)
            query = query.where(done if requeued else ~done)
        with self._reads.begin() as connection:
            return [_stored(row) for row in connection.execute(query).mappings()]

    def dead_letter(self, id_: int) -> StoredDeadLetter:
        """Return one dead letter. Raises NoSuchDeadLetter."""
        with self._reads.begin() as connection:
            row = connection.execute(select(dead_letters).where(dead_letters.c.id == id_)).mappings().first()
        if row is None:
            raise NoSuchDeadLetter(f"there is no dead letter {id_}; see `retuned deadletters list`")
        return _stored(row)

    def mark_requeued(self, ids: Sequence[int], now: datetime) -> None:
        """Mark dead letters as requeued, that is, put back on the topic."""
        with write(self._engine, "deadletter.requeued") as connection:
            which = dead_letters.c.id.in_(ids)
            connection.execute(update(dead_letters).where(which).values(requeued_at=now))

    def counts_by_reason(self) -> dict[str, int]:
        """Count the dead letters by reason."""
        with self._reads.begin() as connection:
            return count_dead_letters(connection)


def add_dead_letters(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Insert dead letters."""
    rows = [
        {
            "topic": letter.at.topic,
            "partition": letter.at.partition,
            "offset": letter.at.offset,
            "reason": letter.reason,
            "field": letter.field,
            "message": letter.message,
            "key": letter.key,
            "value": letter.value,
            "digest": letter.digest,
            "size": letter.size,
            "at": letter.when,
        }
        for letter in letters
    ]
    if rows:
        connection.execute(insert(dead_letters), rows)


def count_dead_letters(connection: Connection) -> dict[str, int]:
    """Count the dead letters by reason."""
    query = select(dead_letters.c.reason, func.count()).group_by(dead_letters.c.reason)
    return dict(connection.execute(query).all())


def _stored(row: RowMapping) -> StoredDeadLetter:
    letter = DeadLetter(
        at=Coordinates(topic=row["topic"], partition=row["partition"], offset=row["offset"]),
        reason=row["reason"],
        field=row["field"],
        message=row["message"],
        key=row["key"],
        value=row["value"],
        when=row["at"],
        digest=row["digest"],
        size=row["size"],
    )
    return StoredDeadLetter(
        id=row["id"], letter=letter, published_at=row["published_at"], requeued_at=row["requeued_at"]
    )
