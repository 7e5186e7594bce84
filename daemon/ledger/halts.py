"""Stores halts of intake, and the offsets that operators set."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, delete, insert, select, update

from daemon.domain.errors import DaemonError
from daemon.domain.halts import Halt, HaltKind, OffsetChange
from daemon.domain.streams import TopicPartition
from daemon.ledger.database import reader, write
from daemon.ledger.tables import halts, offset_changes, positions


class NothingHalted(DaemonError):
    """Intake is not halted. It can't be resumed, and while it reads, an offset that an operator sets would be overwritten."""


class HaltLedger:
    """Halts, of which at most one is open. While it is open, no replica records a batch."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def current(self) -> Halt | None:
        """Return the open halt; None if intake is not halted."""
        with self._reads.begin() as connection:
            return open_halt(connection)

    def recent(self, limit: int) -> list[Halt]:
        """Return the newest halts, newest first."""
        query = select(halts).order_by(halts.c.id.desc()).limit(limit)
        with self._reads.begin() as connection:
            return [_halt(row) for row in connection.execute(query).mappings()]

    def recent_offset_changes(self, limit: int) -> list[OffsetChange]:
        """Return the newest changes of offsets by operators, newest first."""
        columns = [column for column in offset_changes.columns if column.name != "id"]
        query = select(*columns).order_by(offset_changes.c.id.desc()).limit(limit)
        with self._reads.begin() as connection:
            return [OffsetChange(**row) for row in connection.execute(query).mappings()]

    def halt(self, new: Halt) -> Halt:
        """Halt intake and return the halt; if intake is halted already, return the open halt."""
        with write(self._engine, "halt") as connection:
            return open_halt(connection) or insert_halt(connection, new)

    def resume(self, *, by: str, why: str, now: datetime) -> Halt:
        """Clear the open halt and return it. Raises NothingHalted."""
        with write(self._engine, "halt.clear") as connection:
            return _clear(connection, by=by, why=why, now=now)

    def reset(
        self, changes: Sequence[OffsetChange], *, topic_id: str | None, gone: Sequence[TopicPartition] = ()
    ) -> Halt:
        """Set the offsets at which intake continues, clear the open halt and return it: all or nothing.

        ``changes`` name at least one partition. With a higher offset, the records in between are never read. With a lower
        one, they are read again; conversations and feedback that are stored are not counted twice. The offsets apply to
        the topic of this id; None: to whatever topic has the name now. The positions of partitions that are ``gone`` are
        dropped. Raises NothingHalted.
        """
        first = changes[0]
        with write(self._engine, "offset.change") as connection:
            halt = _clear(connection, by=first.by, why=first.why, now=first.at)
            for change in changes:
                _move(connection, change, topic_id=topic_id)
            for source in gone:
                connection.execute(delete(positions).where(_at(source)))
        return halt

    def require_halt(self) -> Halt:
        """Return the open halt. Raises NothingHalted."""
        with self._reads.begin() as connection:
            return _required_halt(connection)


def open_halt(connection: Connection) -> Halt | None:
    """Return the halt that has not been cleared; None if there is none."""
    query = select(halts).where(halts.c.cleared_at.is_(None)).order_by(halts.c.id).limit(1)
    row = connection.execute(query).mappings().first()
    return _halt(row) if row else None


def insert_halt(connection: Connection, new: Halt) -> Halt:
    """Insert a halt and return it."""
    connection.execute(
        insert(halts).values(
            kind=new.kind, reason=new.reason, topic=new.topic, partition=new.partition, at=new.at
        )
    )
    return new


def last_cleared(connection: Connection, kind: HaltKind) -> datetime | None:
    """Return when an operator last cleared a halt of this kind; None if never."""
    query = select(halts.c.cleared_at).where((halts.c.kind == kind) & halts.c.cleared_at.is_not(None))
    cleared: datetime | None = connection.scalar(query.order_by(halts.c.cleared_at.desc()).limit(1))
    return cleared


def _move(connection: Connection, change: OffsetChange, *, topic_id: str | None) -> None:
    """Set the next offset of a partition, and log the change if there is one."""
    at = _at(TopicPartition(change.topic, change.partition))
    values = {"next_offset": change.after, "topic_id": topic_id, "updated_at": change.at}
    before = connection.scalar(select(positions.c.next_offset).where(at))
    if before is None:
        place = {"topic": change.topic, "partition": change.partition}
        connection.execute(insert(positions).values(**place, **values))
    else:
        connection.execute(update(positions).where(at).values(**values))
    if before != change.after:
        entry = {
            column: getattr(change, column) for column in ("topic", "partition", "after", "at", "by", "why")
        }
        connection.execute(insert(offset_changes).values(**entry, before=before))


def _at(source: TopicPartition) -> ColumnElement[bool]:
    return (positions.c.topic == source.topic) & (positions.c.partition == source.partition)


def _clear(connection: Connection, *, by: str, why: str, now: datetime) -> Halt:
    halt = _required_halt(connection)
    values = {"cleared_at": now, "cleared_by": by, "why": why}
    connection.execute(update(halts).where(halts.c.id == halt.id).values(**values))
    return halt


def _required_halt(connection: Connection) -> Halt:
    halt = open_halt(connection)
    if halt is None:
        raise NothingHalted(
            "intake is not halted; see `retuned intake show`. To set an offset, halt it first: "
            "`retuned intake halt -m REASON`"
        )
    return halt


def _halt(row: RowMapping) -> Halt:
    return Halt(**{**row, "kind": HaltKind(row["kind"])})
