"""Counts what the ledger holds, cheaply enough to be called twice a second."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, Select, func, select

from daemon.domain.runs import RunState
from daemon.domain.windows import StoredReference
from daemon.ledger.database import reader
from daemon.ledger.dead_letters import count_dead_letters
from daemon.ledger.reference_rows import newest_reference
from daemon.ledger.tables import (
    conversations,
    dead_letters,
    feedback,
    other_names,
    positions,
    runs,
    windows,
)
from daemon.ledger.window_closing import window_start


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """How far one partition is read."""

    topic: str
    partition: int
    next_offset: int
    topic_id: str | None  # the id of the topic that was read; None if its broker has none
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class IntakeCounts:
    """What intake has stored so far."""

    positions: tuple[Position, ...]
    conversations: int  # records that brought turns: one, or one for each part of a conversation that grew
    held_out: int  # of these
    feedback: int  # feedback records; feedback inside conversations is not counted
    dead_letters: Mapping[str, int]  # by reason
    dead_letters_waiting: int  # not yet published to the dead-letter topic
    continued: int = 0  # of the records that brought turns, those that continued a conversation
    dead_letters_requeued: int = 0  # put back on the topic
    repeated: int = 0  # records of which others had brought all turns, under another id


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowCounts:
    """The windows, and the reference that they are compared with."""

    closed: int
    waiting: int  # closed, but not judged yet
    open: int  # conversations in the open window
    reference: StoredReference | None
    collected: int  # conversations that the reference has so far


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """A run without its request, which can be large."""

    id: str
    decision_id: int
    state: RunState
    started_at: datetime
    ended_at: datetime | None
    progress: Mapping[str, object] | None
    error: str | None
    left_out: Mapping[str, int] = field(
        default_factory=dict
    )  # new conversations that curation did not take, by reason
    skipped: Mapping[str, int] = field(
        default_factory=dict
    )  # of its training set, what it could not learn from
    left_out_answers: Mapping[str, int] = field(
        default_factory=dict
    )  # answers of the other conversations that it did not learn


class LedgerCounts:
    """Figures of the ledger. Each method reads a consistent snapshot."""

    def __init__(self, engine: Engine) -> None:
        self._reads = reader(engine)

    def positions(self) -> tuple[Position, ...]:
        """Return how far each partition is read."""
        with self._reads.begin() as connection:
            return _positions(connection)

    def intake(self) -> IntakeCounts:
        """Count what intake has stored."""
        with self._reads.begin() as connection:
            return IntakeCounts(
                positions=_positions(connection),
                # SQLite counts all rows without reading each, and few of them are held out.
                conversations=_count(connection, select(func.count()).select_from(conversations)),
                held_out=_count(connection, select(func.count()).where(conversations.c.held_out)),
                continued=_count(connection, select(func.count()).where(conversations.c.thread.is_not(None))),
                feedback=_count(connection, select(func.count()).select_from(feedback)),
                dead_letters=count_dead_letters(connection),
                dead_letters_waiting=_count(
                    connection, select(func.count()).where(dead_letters.c.published_at.is_(None))
                ),
                dead_letters_requeued=_count(
                    connection, select(func.count()).where(dead_letters.c.requeued_at.is_not(None))
                ),
                repeated=_count(connection, select(func.count()).select_from(other_names)),
            )

    def windows(self) -> WindowCounts:
        """Count the windows, and the conversations of the open one and of the reference."""
        with self._reads.begin() as connection:
            closed = _count(connection, select(func.count()).select_from(windows))
            judged = _count(connection, select(func.count()).where(windows.c.judged_at.is_not(None)))
            start = window_start(connection)
            reference = newest_reference(connection)
            return WindowCounts(
                closed=closed,
                waiting=closed - judged,
                open=0 if start is None else _count_after(connection, start),
                reference=reference,
                collected=count_collected(connection, reference),
            )

    def newest_run(self) -> RunSummary | None:
        """Return the newest run, whether it is in progress or has ended."""
        query = (
            select(
                runs.c.id,
                runs.c.decision_id,
                runs.c.state,
                runs.c.started_at,
                runs.c.ended_at,
                runs.c.progress,
                runs.c.error,
                runs.c.request[("dataset", "left_out")].label("left_out"),
                runs.c.result["skipped"].label("skipped"),
                runs.c.result["left_out_answers"].label("left_out_answers"),
            )
            .order_by(runs.c.started_at.desc(), runs.c.id.desc())
            .limit(1)
        )
        with self._reads.begin() as connection:
            row = connection.execute(query).mappings().first()
            return _summary(row) if row else None


def _positions(connection: Connection) -> tuple[Position, ...]:
    query = select(positions).order_by(positions.c.topic, positions.c.partition)
    return tuple(Position(**row) for row in connection.execute(query).mappings())


def _count(connection: Connection, query: Select[int]) -> int:
    return connection.scalar(query) or 0


def _count_after(connection: Connection, seq: int, *, at_most: int | None = None) -> int:
    """Count the conversations after one; ``at_most`` ends the count."""
    after = select(conversations.c.seq).where(conversations.c.seq > seq).limit(at_most)
    return _count(connection, select(func.count()).select_from(after.subquery()))


def count_collected(connection: Connection, reference: StoredReference | None) -> int:
    """Count the conversations that a reference has so far."""
    if reference is None:
        return 0
    if reference.range is not None:
        return reference.size
    return _count_after(connection, reference.after_seq, at_most=reference.size)


def _summary(row: RowMapping) -> RunSummary:
    counts = {kind: row[kind] or {} for kind in ("left_out", "skipped", "left_out_answers")}
    return RunSummary(**{**row, **counts, "state": RunState(row["state"])})
