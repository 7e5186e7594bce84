"""Counts records once: a batch's offsets and all its effects are one transaction."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from types import ModuleType

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from daemon.ceiling import Ceiling, crossed
from daemon.facts import (
    Batch,
    BatchResult,
    Coordinates,
    Halt,
    HaltKind,
    NewConversation,
    NewFeedback,
)
from daemon.ledger.conversation_rows import insert_conversations
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.dead_letters import add_dead_letters
from daemon.ledger.erasures import Tombstones
from daemon.ledger.halts import begin_halt, last_cleared, open_halt
from daemon.ledger.outcomes import commonest_reason, latest_outcomes
from daemon.ledger.tables import conversations, feedback, positions
from daemon.ledger.windows import close_full_windows
from daemon.streams import Start, TopicPartition


class IntakeLedger:
    """Where reading stopped, and what the records read so far have brought."""

    def __init__(self, engine: Engine, *, window_size: int, ceiling: Ceiling | None = None) -> None:
        """``ceiling`` bounds the dead letters, beyond which intake is halted; without it there is no bound."""
        self._engine = engine
        self._ceiling = ceiling
        self._tombstones = Tombstones()
        self._reads = reader(engine)
        self._window_size = window_size

    def next_offsets(self) -> dict[tuple[str, int], int]:
        """Return the offset to read next of every (topic, partition) seen so far."""
        with self._reads.begin() as connection:
            rows = connection.execute(
                select(positions.c.topic, positions.c.partition, positions.c.next_offset)
            )
            return {(topic, partition): offset for topic, partition, offset in rows}

    def starts(self) -> dict[TopicPartition, Start]:
        """Return where each partition seen so far is read on from."""
        columns = (positions.c.topic, positions.c.partition, positions.c.next_offset, positions.c.topic_id)
        with self._reads.begin() as connection:
            return {TopicPartition(*row[:2]): Start(*row[2:]) for row in connection.execute(select(*columns))}

    def record(self, batch: Batch) -> BatchResult:
        """Write a batch, all or nothing. Records below the stored offsets were counted before and are passed over.

        While intake is halted nothing is written, and the batch has to be read again afterwards.
        """
        with write(self._engine, "intake") as connection:
            in_intake_order(connection)
            if open_halt(connection) is not None:
                return _REFUSED
            fresh = _Fresh(_positions(connection, batch))
            gone = self._tombstones.read(connection)
            read_letters = [letter for letter in batch.dead_letters if fresh.holds(letter.at)]
            letters = [letter for letter in read_letters if gone.isdisjoint(letter.subjects)]
            read_talks = [new for new in batch.conversations if fresh.holds(new.at)]
            read_opinions = [new for new in batch.feedback if fresh.holds(new.at)]
            talks = [new for new in read_talks if gone.isdisjoint((new.user_hash, new.conversation_hash))]
            remembered = [
                new for new in read_opinions if gone.isdisjoint((new.user_hash, new.conversation_hash))
            ]
            added = _add_conversations(connection, talks, batch.received_at)
            opinions = _admitted(connection, remembered)
            _add_feedback(connection, opinions, batch.received_at)
            _join_feedback(
                connection,
                [new.conversation_id for new in opinions]
                + [new.conversation.conversation_id for new in added],
            )
            add_dead_letters(connection, letters)
            _advance(connection, batch)
            closed = close_full_windows(connection, size=self._window_size, now=batch.received_at)
            halt = self._halt(connection, batch.received_at) if letters else None
        return BatchResult(
            conversations=len(added),
            held_out=sum(new.held_out for new in added),
            feedback=len(opinions),
            dead_letters=len(letters),
            duplicates=len(talks) - len(added),
            windows=closed,
            forgotten=len(read_talks)
            + len(read_opinions)
            + len(read_letters)
            - len(talks)
            - len(remembered)
            - len(letters),
            not_admitted=len(remembered) - len(opinions),
            halt=halt,
        )

    def _halt(self, connection: Connection, now: datetime) -> Halt | None:
        """Halt intake where too much of what came lately can't be used."""
        if self._ceiling is None:
            return None
        since = last_cleared(connection, HaltKind.DEAD_LETTERS)
        lately = latest_outcomes(connection, limit=self._ceiling.records, since=since)
        reason = crossed(lately, self._ceiling)
        if reason is None:
            return None
        told = f"{reason}; mostly {commonest_reason(connection, limit=self._ceiling.records)}. {_REMEDY}"
        return begin_halt(connection, Halt(kind=HaltKind.DEAD_LETTERS, reason=told, at=now))


_REMEDY = (
    "See `retuned deadletters list`; mend the producer or the limits, then `retuned intake resume -m REASON` and "
    "`retuned deadletters requeue`"
)
_REFUSED = BatchResult(
    conversations=0, held_out=0, feedback=0, dead_letters=0, duplicates=0, windows=0, refused=True
)


class _Fresh:
    """Tells records that were counted before from new ones."""

    def __init__(self, stored: dict[tuple[str, int], int]) -> None:
        self._stored = stored

    def holds(self, at: Coordinates) -> bool:
        return at.offset >= self._stored.get((at.topic, at.partition), 0)


def _positions(connection: Connection, batch: Batch) -> dict[tuple[str, int], int]:
    topics = {topic for topic, _ in batch.next_offsets}
    query = select(positions.c.topic, positions.c.partition, positions.c.next_offset).where(
        positions.c.topic.in_(topics)
    )
    return {(topic, partition): offset for topic, partition, offset in connection.execute(query)}


def _advance(connection: Connection, batch: Batch) -> None:
    stored = _positions(connection, batch)
    for (topic, partition), offset in batch.next_offsets.items():
        values = {
            "next_offset": offset,
            "topic_id": batch.topic_ids.get(topic),
            "updated_at": batch.received_at,
        }
        if (topic, partition) not in stored:
            connection.execute(insert(positions).values(topic=topic, partition=partition, **values))
        elif offset > stored[topic, partition]:
            where = (positions.c.topic == topic) & (positions.c.partition == partition)
            connection.execute(update(positions).where(where).values(**values))


def _add_conversations(
    connection: Connection, found: Sequence[NewConversation], received_at: datetime
) -> list[NewConversation]:
    """Insert those whose id is new; the first record of an id wins."""
    first: dict[str, NewConversation] = {}
    for new in found:
        first.setdefault(new.conversation.conversation_id, new)
    if not first:
        return []
    known = set(
        connection.scalars(
            select(conversations.c.conversation_id).where(conversations.c.conversation_id.in_(list(first)))
        )
    )
    added = [new for id_, new in first.items() if id_ not in known]
    if added:
        insert_conversations(connection, added, received_at)
    return added


def _admitted(connection: Connection, opinions: Sequence[NewFeedback]) -> list[NewFeedback]:
    """Return the feedback that may be kept: it says so itself, or its conversation is kept."""
    unsure = {new.conversation_id for new in opinions if not new.admitted}
    if not unsure:
        return list(opinions)
    query = select(conversations.c.conversation_id).where(conversations.c.conversation_id.in_(unsure))
    kept = set(connection.scalars(query))
    return [new for new in opinions if new.admitted or new.conversation_id in kept]


def _add_feedback(connection: Connection, opinions: Sequence[NewFeedback], received_at: datetime) -> None:
    """Insert feedback; the same said again about the same conversation and moment is one."""
    rows = [
        {
            "digest": feedback_digest(new),
            "received_at": received_at,
            "topic": new.at.topic,
            "partition": new.at.partition,
            "offset": new.at.offset,
            "conversation_id": new.conversation_id,
            "user_hash": new.user_hash,
            "at": new.when,
            "thumb": new.feedback.thumb,
            "rating": new.feedback.rating,
            "correction": new.feedback.correction,
            "score": new.feedback.score,
        }
        for new in opinions
    ]
    if rows:
        connection.execute(_dialect(connection).insert(feedback).on_conflict_do_nothing(), rows)


def feedback_digest(new: NewFeedback) -> str:
    """Return a digest of what was said about which conversation and when."""
    said = new.feedback
    facts = (new.conversation_id, new.when.isoformat(), said.thumb, said.rating, said.correction)
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _join_feedback(connection: Connection, ids: Sequence[str]) -> None:
    """Give conversations the newest feedback that names them, whichever of the two came first."""
    newest = (
        select(feedback.c.score)
        .where(feedback.c.conversation_id == conversations.c.conversation_id)
        .order_by(feedback.c.at.desc(), feedback.c.digest.desc())  # not by offset: it may be sent again
        .limit(1)
        .scalar_subquery()
    )
    named = (
        set(connection.scalars(select(feedback.c.conversation_id).where(feedback.c.conversation_id.in_(ids))))
        if ids
        else set()
    )
    if named:
        connection.execute(
            update(conversations).where(conversations.c.conversation_id.in_(named)).values(feedback=newest)
        )


def _dialect(connection: Connection) -> ModuleType:
    """Return where the database's own INSERT with ON CONFLICT is."""
    return postgresql if connection.dialect.name == "postgresql" else sqlite
