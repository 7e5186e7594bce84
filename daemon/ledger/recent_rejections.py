"""Reads which of the latest records became dead letters, and for which reason."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from daemon.domain.bad_record import NOT_COUNTED
from daemon.ledger.tables import conversations, dead_letters, feedback


def latest_rejections(connection: Connection, *, limit: int, since: datetime | None) -> list[bool]:
    """Return for each of the newest records whether it is a dead letter, newest first.

    Records of one batch are ordered by partition and offset. Records received up to ``since`` are left out.
    """
    found: list[tuple[datetime, int, int, bool]] = []
    for table, received, newest, dead in (
        (conversations, conversations.c.received_at, conversations.c.seq, False),
        (feedback, feedback.c.received_at, feedback.c.received_at, False),
        (dead_letters, dead_letters.c.at, dead_letters.c.id, True),
    ):
        query = select(received, table.c.partition, table.c.offset).order_by(newest.desc()).limit(limit)
        if since is not None:
            query = query.where(received > since)
        if dead:
            query = query.where(dead_letters.c.reason.not_in(NOT_COUNTED))
        found += [(at, partition, offset, dead) for at, partition, offset in connection.execute(query)]
    found.sort(reverse=True)
    return [dead for *_, dead in found[:limit]]


def most_frequent_reason(connection: Connection, *, limit: int) -> str:
    """Return the most frequent reason among the newest dead letters, with its count and its last coordinates."""
    newest = select(dead_letters).order_by(dead_letters.c.id.desc()).limit(limit).subquery()
    count = func.count()
    query = select(newest.c.reason, count, func.max(newest.c.id)).group_by(newest.c.reason)
    reason, times, id_ = connection.execute(query.order_by(count.desc()).limit(1)).one()
    place = select(dead_letters.c.topic, dead_letters.c.partition, dead_letters.c.offset)
    topic, partition, offset = connection.execute(place.where(dead_letters.c.id == id_)).one()
    return f"{reason} ({times} times, the last at {topic}/{partition}@{offset})"
