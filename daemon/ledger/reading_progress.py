"""Tells up to which moment of the stream's own time every partition was read."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from daemon.ledger.tables import conversations, feedback, positions

#: Newest rows of a table in which a partition's newest record is looked for.
_NEWEST_ROWS = 1_000


def read_until(connection: Connection, *, active_since: datetime) -> datetime:
    """Return the time of the newest conversation, or that of the partition that lags behind it the most.

    A partition lags only while it is active: it brought a record that was received after ``active_since``. One that
    brought none for so long is idle and holds nothing up. An active partition is read up to its latest record among
    the newest rows; if it has none there (dead letters, duplicates), up to when its last record was received.
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
