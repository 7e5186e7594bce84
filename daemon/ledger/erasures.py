"""Erases users and conversations from the ledger, and keeps the log of erasures as proof."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, delete, func, insert, select

from daemon.domain.errors import LedgerError
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.runs import erased_after_learning
from daemon.ledger.sql_in import in_values
from daemon.ledger.subject_removal import Removal, Removed, remove_subjects
from daemon.ledger.subject_rows import Subject
from daemon.ledger.tables import erasures, past_conversations, training_records
from daemon.ledger.tombstones import add_tombstones

__all__ = ["Erasure", "ErasureLedger", "Removed", "Subject", "append_entries", "wipe"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """One entry of the log of erasures."""

    kind: str
    subject: str  # keyed hash
    at: datetime
    by: str
    why: str
    removed: dict[str, object]
    previous_digest: str
    digest: str = ""
    id: int | None = None


class ErasureLedger:
    """The log of erasures. It is append-only, and each entry has the digest of the one before."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def erase(self, subject: Subject, *, by: str, why: str, now: datetime) -> tuple[Removed, Erasure]:
        """Remove everything of a subject, leave tombstones and append an entry to the log, in one transaction.

        Tombstones make intake drop records of the subject that arrive later, so a repeated erasure finds nothing new.
        """
        with write(self._engine, "erasure") as connection:
            in_intake_order(connection)  # so that no record of the subject is added meanwhile
            [removal] = remove_subjects(connection, [subject])
            [entry] = append_entries(connection, [(removal, why)], by=by, now=now)
        wipe(self._engine)
        return removal.removed, entry

    def log(self) -> list[Erasure]:
        """Return all entries, oldest first."""
        with self._reads.begin() as connection:
            rows = connection.execute(select(erasures).order_by(erasures.c.id)).mappings()
            return [_erasure(row) for row in rows]

    def verify(self) -> None:
        """Check the digests of all entries. Raises LedgerError naming the first wrong entry."""
        previous = ""
        for entry in self.log():
            if entry.previous_digest != previous or entry.digest != _digest(entry):
                raise LedgerError(
                    f"entry {entry.id} of the log of erasures was altered, or one before it is missing; restore a "
                    "backup: `retuned restore FILE --yes`"
                )
            previous = entry.digest

    def count(self) -> int:
        """Count the entries. The count rises with each erasure."""
        with self._reads.begin() as connection:
            return connection.scalar(select(func.count()).select_from(erasures)) or 0

    def runs_with_erased_records(self) -> frozenset[str]:
        """Return the runs that learned from records that were erased since."""
        query = select(training_records.c.run).where(erased_after_learning()).distinct()
        with self._reads.begin() as connection:
            return frozenset(connection.scalars(query))


def append_entries(
    connection: Connection, removals: Sequence[tuple[Removal, str]], *, by: str, now: datetime
) -> list[Erasure]:
    """Append an entry for each removal, with its reason, and leave tombstones for the subjects and their conversations."""
    if not removals:
        return []
    newest = select(erasures.c.id, erasures.c.digest).order_by(erasures.c.id.desc()).limit(1)
    last_id, last_digest = connection.execute(newest).one_or_none() or (0, "")
    entries: list[Erasure] = []
    for removal, why in removals:
        entries.append(_entry(removal, previous_digest=last_digest, by=by, why=why, now=now))
        last_digest = entries[-1].digest
    rows = [dataclasses.asdict(entry) for entry in entries]
    for row in rows:
        del row["id"]
    connection.execute(insert(erasures), rows)
    # Erasures are appended one transaction after the other, so these are the ids of the rows, in their order.
    appended = select(erasures.c.id).where(erasures.c.id > last_id).order_by(erasures.c.id)
    ids = connection.scalars(appended).all()
    buried: dict[str, int] = {}
    for id_, (removal, _) in zip(ids, removals, strict=True):
        buried |= dict.fromkeys((removal.subject.hash, *removal.conversation_hashes, *removal.turns), id_)
    add_tombstones(connection, buried)
    past = in_values(connection, past_conversations.c.conversation_hash, buried)
    connection.execute(delete(past_conversations).where(past))
    return [dataclasses.replace(entry, id=id_) for entry, id_ in zip(entries, ids, strict=True)]


def wipe(engine: Engine) -> None:
    """Make SQLite truncate its write-ahead log, which may still hold erased data. Deleted pages are overwritten anyway."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            raw = connection.connection.driver_connection
            if raw is not None:
                connection.rollback()
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


def _entry(removal: Removal, *, previous_digest: str, by: str, why: str, now: datetime) -> Erasure:
    counts = dataclasses.asdict(removal.removed)
    del counts["published"]
    entry = Erasure(
        kind=removal.subject.kind,
        subject=removal.subject.hash,
        at=now,
        by=by,
        why=why,
        removed={**counts, "runs": list(counts["runs"])},
        previous_digest=previous_digest,
    )
    return dataclasses.replace(entry, digest=_digest(entry))


def _digest(entry: Erasure) -> str:
    facts = [
        entry.kind,
        entry.subject,
        entry.at.isoformat(),
        entry.by,
        entry.why,
        entry.removed,
        entry.previous_digest,
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _erasure(row: RowMapping) -> Erasure:
    return Erasure(**row)
