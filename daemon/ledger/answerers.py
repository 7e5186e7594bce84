"""Counts who answered the newest conversations."""

from collections import Counter

from sqlalchemy import Engine, func, select

from daemon.ledger.database import reader
from daemon.ledger.tables import conversations


def newest_answerers(engine: Engine, limit: int) -> Counter[str | None]:
    """Return how many of the newest conversations name each version; None: they name none."""
    newest = select(conversations.c.version).order_by(conversations.c.seq.desc()).limit(limit).subquery()
    with reader(engine).begin() as connection:
        query = select(newest.c.version, func.count()).group_by(newest.c.version)
        return Counter(dict(connection.execute(query).all()))
