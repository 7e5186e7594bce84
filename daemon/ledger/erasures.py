"""Erases users and conversations from the ledger, and keeps the log of erasures as proof."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, delete, func, insert, select, update

from daemon.domain.errors import LedgerError
from daemon.domain.records import Coordinates
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.dead_letter_search import remove_dead_letters_naming
from daemon.ledger.reports import drop_incomplete_reports
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import (
    conversations,
    erasures,
    feedback,
    losses,
    opinions,
    past_conversations,
    scores,
    training_records,
)
from daemon.ledger.tombstones import add_tombstones
from daemon.ledger.window_examples import remove_examples


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """The user or conversation to erase. The ledger keeps only the keyed hash."""

    kind: str  # user or conversation
    id: str  # as in the records
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """What an erasure removed from the ledger. The records stay in Kafka until the topic's retention deletes them."""

    conversations: int
    feedback: int
    dead_letters: int
    reports: int  # reports that were made of erased conversations
    training_records: int  # records of training runs, marked as erased
    runs: tuple[str, ...]  # runs that learned from erased records
    published: tuple[Coordinates, ...]  # records whose dead letters were published to the dead-letter topic


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
            erased = _conversations_of(connection, subject)
            removed = _remove(connection, subject, erased)
            entry = _append(connection, subject, removed, by=by, why=why, now=now)
            hashes = [
                subject.hash,
                *(conversation.hash for conversation in erased),
                *_trained_conversations(connection, subject),
            ]
            add_tombstones(connection, hashes, entry.id)
            connection.execute(
                delete(past_conversations).where(
                    in_values(connection, past_conversations.c.conversation_hash, hashes)
                )
            )
        self._wipe()
        return removed, entry

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
                    "backup of the ledger"
                )
            previous = entry.digest

    def count(self) -> int:
        """Count the entries. The count rises with each erasure."""
        with self._reads.begin() as connection:
            return connection.scalar(select(func.count()).select_from(erasures)) or 0

    def runs_with_erased_records(self) -> frozenset[str]:
        """Return the runs that learned from records that were erased since."""
        query = select(training_records.c.run).where(training_records.c.erased).distinct()
        with self._reads.begin() as connection:
            return frozenset(connection.scalars(query))

    def _wipe(self) -> None:
        """Make SQLite truncate its write-ahead log, which may still hold erased data. Deleted pages are overwritten anyway."""
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect() as connection:
                raw = connection.connection.driver_connection
                if raw is not None:
                    connection.rollback()
                    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


class _Conversation(NamedTuple):
    """A conversation to erase."""

    seq: int
    id: str  # as stored: for an id that contains personal data, its hash
    hash: str


def _conversations_of(connection: Connection, subject: Subject) -> list[_Conversation]:
    columns = (conversations.c.seq, conversations.c.conversation_id, conversations.c.conversation_hash)
    matches = _is_of(conversations.c.user_hash, conversations.c.conversation_hash, subject)
    query = select(*columns).where(matches).order_by(conversations.c.seq)
    return [_Conversation(*row) for row in connection.execute(query)]


def _trained_conversations(connection: Connection, subject: Subject) -> Sequence[str]:
    """Return the hashes of the subject's conversations that runs learned from.

    Retention may have deleted some of these conversations; then only the records of runs still name them.
    """
    matches = _is_of(training_records.c.group_key, training_records.c.conversation_hash, subject)
    return connection.scalars(select(training_records.c.conversation_hash).where(matches).distinct()).all()


def _remove(connection: Connection, subject: Subject, erased: Sequence[_Conversation]) -> Removed:
    seqs, ids = [conversation.seq for conversation in erased], [conversation.id for conversation in erased]
    remove_examples(connection, seqs, ids)
    for table in (scores, losses, opinions):
        connection.execute(delete(table).where(in_values(connection, table.c.seq, seqs)))
    connection.execute(delete(conversations).where(in_values(connection, conversations.c.seq, seqs)))
    feedback_removed = _remove_feedback(connection, subject, ids)
    letters, published = remove_dead_letters_naming(connection, [subject.id, *ids])
    records, runs = _mark_records(connection, subject)
    reports = drop_incomplete_reports(connection)
    return Removed(
        conversations=len(erased),
        feedback=feedback_removed,
        dead_letters=letters,
        reports=reports,
        training_records=records,
        runs=runs,
        published=published,
    )


def _remove_feedback(connection: Connection, subject: Subject, ids: Sequence[str]) -> int:
    """Remove the feedback on these conversations; of a user, also the feedback on conversations that never arrived."""
    named = [*ids, subject.id, subject.hash] if subject.kind == "conversation" else ids
    matches = in_values(connection, feedback.c.conversation_id, named)
    if subject.kind == "user":
        matches |= feedback.c.user_hash == subject.hash
    return connection.execute(delete(feedback).where(matches)).rowcount


def _is_of(
    user: ColumnElement[str | None], conversation: ColumnElement[str], subject: Subject
) -> ColumnElement[bool]:
    return user == subject.hash if subject.kind == "user" else conversation == subject.hash


def _mark_records(connection: Connection, subject: Subject) -> tuple[int, tuple[str, ...]]:
    matches = _is_of(training_records.c.group_key, training_records.c.conversation_hash, subject)
    runs = sorted(connection.scalars(select(training_records.c.run).where(matches).distinct()))
    marked = connection.execute(update(training_records).where(matches).values(sha256=None, erased=True))
    return marked.rowcount, tuple(runs)


def _append(
    connection: Connection, subject: Subject, removed: Removed, *, by: str, why: str, now: datetime
) -> Erasure:
    last = connection.scalar(select(erasures.c.digest).order_by(erasures.c.id.desc()).limit(1))
    counts = dataclasses.asdict(removed)
    del counts["published"]
    entry = Erasure(
        kind=subject.kind,
        subject=subject.hash,
        at=now,
        by=by,
        why=why,
        removed={**counts, "runs": list(removed.runs)},
        previous_digest=last or "",
    )
    entry = dataclasses.replace(entry, digest=_digest(entry))
    values = dataclasses.asdict(entry)
    del values["id"]
    id_ = connection.scalar(insert(erasures).values(**values).returning(erasures.c.id))
    return dataclasses.replace(entry, id=id_)


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
