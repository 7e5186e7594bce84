"""Keeps why intake waits for an operator, and what operators did about it."""

from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, insert, select, update

from daemon.domain.errors import DaemonError
from daemon.domain.halts import Halt, HaltKind, OffsetChange
from daemon.ledger.database import reader, write
from daemon.ledger.tables import halts, offset_changes, positions


class NothingHalted(DaemonError):
    """Intake is not halted, so there is nothing to resume, and a reader that reads on would undo what is set."""


class HaltLedger:
    """At most one halt is open. While it is, no batch is recorded, by any replica."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def current(self) -> Halt | None:
        """Return the open halt."""
        with self._reads.begin() as connection:
            return open_halt(connection)

    def recent(self, limit: int) -> list[Halt]:
        """Return the newest halts, newest first."""
        query = select(halts).order_by(halts.c.id.desc()).limit(limit)
        with self._reads.begin() as connection:
            return [_halt(row) for row in connection.execute(query).mappings()]

    def recent_offset_changes(self, limit: int) -> list[OffsetChange]:
        """Return the newest offsets that operators set, newest first."""
        wanted = [column for column in offset_changes.columns if column.name != "id"]
        query = select(*wanted).order_by(offset_changes.c.id.desc()).limit(limit)
        with self._reads.begin() as connection:
            return [OffsetChange(**row) for row in connection.execute(query).mappings()]

    def halt(self, wanted: Halt) -> Halt:
        """Halt intake; where it is halted already, return that halt instead."""
        with write(self._engine, "halt") as connection:
            return open_halt(connection) or begin_halt(connection, wanted)

    def resume(self, *, by: str, why: str, now: datetime) -> Halt:
        """Let intake go on. Raises NothingHalted."""
        with write(self._engine, "halt.clear") as connection:
            return _clear(connection, by=by, why=why, now=now)

    def seek(self, change: OffsetChange) -> Halt:
        """Set where a partition is read on from, whatever topic has the name now, and let intake go on.

        Records between the two offsets are never read, or read again: conversations and feedback that are known
        already are not counted twice. Raises NothingHalted.
        """
        at = (positions.c.topic == change.topic) & (positions.c.partition == change.partition)
        values = {"next_offset": change.after, "topic_id": None, "updated_at": change.at}
        with write(self._engine, "offset.change") as connection:
            halt = _clear(connection, by=change.by, why=change.why, now=change.at)
            before = connection.scalar(select(positions.c.next_offset).where(at))
            if before is None:
                place = {"topic": change.topic, "partition": change.partition}
                connection.execute(insert(positions).values(**place, **values))
            else:
                connection.execute(update(positions).where(at).values(**values))
            entry = {
                "topic": change.topic,
                "partition": change.partition,
                "before": before,
                "after": change.after,
                "at": change.at,
                "by": change.by,
                "why": change.why,
            }
            connection.execute(insert(offset_changes).values(**entry))
        return halt


def open_halt(connection: Connection) -> Halt | None:
    """Return the halt that nobody has cleared."""
    query = select(halts).where(halts.c.cleared_at.is_(None)).order_by(halts.c.id).limit(1)
    row = connection.execute(query).mappings().first()
    return _halt(row) if row else None


def begin_halt(connection: Connection, wanted: Halt) -> Halt:
    """Write that intake is halted."""
    connection.execute(
        insert(halts).values(
            kind=wanted.kind,
            reason=wanted.reason,
            topic=wanted.topic,
            partition=wanted.partition,
            at=wanted.at,
        )
    )
    return wanted


def last_cleared(connection: Connection, kind: HaltKind) -> datetime | None:
    """Return when an operator last let intake go on after a halt of this kind."""
    query = select(halts.c.cleared_at).where((halts.c.kind == kind) & halts.c.cleared_at.is_not(None))
    cleared: datetime | None = connection.scalar(query.order_by(halts.c.cleared_at.desc()).limit(1))
    return cleared


def _clear(connection: Connection, *, by: str, why: str, now: datetime) -> Halt:
    halt = open_halt(connection)
    if halt is None:
        raise NothingHalted(
            "intake is not halted; see `retuned intake show`, and halt it first where that is what you want: "
            "`retuned intake halt -m REASON`"
        )
    values = {"cleared_at": now, "cleared_by": by, "why": why}
    connection.execute(update(halts).where(halts.c.id == halt.id).values(**values))
    return halt


def _halt(row: RowMapping) -> Halt:
    return Halt(**{**row, "kind": HaltKind(row["kind"])})
