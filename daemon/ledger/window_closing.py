"""Closes windows within a transaction: full ones, old ones, and the one in which an alarm was raised."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from daemon.domain.windows import ClosedWindow, SeqRange
from daemon.ledger.reference_filling import fill_reference
from daemon.ledger.reference_rows import newest_reference
from daemon.ledger.tables import conversations, windows


def window_start(connection: Connection) -> int | None:
    """Return the seq of the last conversation before the open window; None while the reference is not filled."""
    reference = newest_reference(connection)
    if reference is None or reference.range is None:
        return None
    last = connection.scalar(select(func.max(windows.c.last_seq))) or 0
    return max(last, reference.range.last)


def close_full_windows(connection: Connection, *, size: int, now: datetime) -> int:
    """Fill the reference if needed, then close every window that has ``size`` conversations; return how many."""
    fill_reference(connection)
    start = window_start(connection)
    if start is None:
        return 0
    seqs = connection.scalars(
        select(conversations.c.seq).where(conversations.c.seq > start).order_by(conversations.c.seq)
    ).all()
    full = [seqs[i : i + size] for i in range(0, len(seqs) - size + 1, size)]
    _close(connection, [SeqRange(first=members[0], last=members[-1]) for members in full], now)
    return len(full)


def aged_window(connection: Connection, received_until: datetime, min_size: int) -> SeqRange | None:
    """Return the range of the open window if it is large enough and its oldest conversation is old enough."""
    start = window_start(connection)
    if start is None:
        return None
    columns = (
        func.count(),
        func.min(conversations.c.received_at),
        func.min(conversations.c.seq),
        func.max(conversations.c.seq),
    )
    count, oldest, first, last = connection.execute(select(*columns).where(conversations.c.seq > start)).one()
    if count < min_size or oldest is None or oldest > received_until:
        return None
    return SeqRange(first=first, last=last)


def close_window_at(connection: Connection, seq: int, *, now: datetime) -> None:
    """Close the open window so that it ends with this conversation, if it reaches that far."""
    start = window_start(connection)
    if start is None or seq <= start:
        return
    inside = (conversations.c.seq > start) & (conversations.c.seq <= seq)
    first = connection.scalar(select(func.min(conversations.c.seq)).where(inside))
    if first is not None:
        close_window(connection, SeqRange(first=first, last=seq), now)


def close_window(connection: Connection, span: SeqRange, now: datetime) -> ClosedWindow:
    """Insert a closed window with the next number."""
    [closed] = _close(connection, [span], now)
    return closed


def _close(connection: Connection, spans: Sequence[SeqRange], now: datetime) -> list[ClosedWindow]:
    """Close windows with these ranges, in their order."""
    if not spans:
        return []
    last = connection.scalar(select(func.max(windows.c.number))) or 0
    closed = [
        ClosedWindow(number=number, range=span, closed_at=now)
        for number, span in enumerate(spans, start=last + 1)
    ]
    rows = [
        {"number": one.number, "first_seq": one.range.first, "last_seq": one.range.last, "closed_at": now}
        for one in closed
    ]
    connection.execute(insert(windows), rows)
    return closed
