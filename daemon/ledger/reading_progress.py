"""Reads how far every partition was read, in the time of the stream."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from daemon.ledger.tables import conversations, feedback, positions

#: A partition's newest record is searched among so many newest rows of a table.
_NEWEST_ROWS = 1_000


def read_until(connection: Connection, *, active_since: datetime) -> datetime:
    """Return the time up to which all active partitions were read, at most that of the newest conversation.

    A partition is active if one of its records was received after ``active_since``; others are ignored. An active one was
    read up to its latest record among the newest rows. If it has none there (dead letters, duplicates), it was read up to
    the time at which its last record was received.
    """
    latest: dict[tuple[str, int], datetime] = {}
    for table, order in ((conversations, conversations.c.seq), (feedback, feedback.c.received_at)):
        newest = (
            select(table.c.topic, table.c.partition, table.c.at).order_by(order.desc()).limit(_NEWEST_ROWS)
        ).subquery()
        partition = (newest.c.topic, newest.c.partition)
        query = select(*partition, func.max(newest.c.at)).group_by(*partition)
        latest |= {
            (topic, number): max(at, latest.get((topic, number), at))
            for topic, number, at in connection.execute(query)
        }
    active = select(positions.c.topic, positions.c.partition, positions.c.updated_at).where(
        positions.c.updated_at > active_since
    )
    read = [latest.get((topic, number), received) for topic, number, received in connection.execute(active)]
    last = select(conversations.c.at).order_by(conversations.c.seq.desc()).limit(1)
    return min([*read, *connection.scalars(last)], default=active_since)
