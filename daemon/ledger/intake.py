"""Records each batch exactly once: its offsets and all its effects are one transaction."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select, update

from daemon.config.settings import DeadLettersSection, HygieneSection
from daemon.domain.halts import Halt, HaltKind
from daemon.domain.records import Batch, BatchResult, Coordinates, DeadLetter, NewConversation
from daemon.domain.streams import Start, TopicPartition
from daemon.ledger.conversation_rows import insert_conversations
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.dead_letter_ceiling import halt_reason
from daemon.ledger.dead_letters import add_dead_letters
from daemon.ledger.erased_turns import names_of
from daemon.ledger.erasures import wipe
from daemon.ledger.feedback import add_feedback, admitted_feedback, join_feedback
from daemon.ledger.feedback_names import feedback_in, name_rows, note_repeats
from daemon.ledger.first_opinions import number_first_opinions
from daemon.ledger.halts import insert_halt, last_cleared, open_halt
from daemon.ledger.known_turns import KnownTurns
from daemon.ledger.quarantine import quarantine
from daemon.ledger.recent_rejections import latest_rejections, most_frequent_reason
from daemon.ledger.tables import positions
from daemon.ledger.threads import Recognised, recognise
from daemon.ledger.tombstone_erasures import erase_deleted
from daemon.ledger.tombstones import Tombstones
from daemon.ledger.window_closing import close_full_windows


class IntakeLedger:
    """The offsets that intake continues from, and the records of the batches."""

    def __init__(
        self,
        engine: Engine,
        *,
        window_size: int,
        dead_letters: DeadLettersSection | None = None,
        hygiene: HygieneSection | None = None,
    ) -> None:
        """Without ``dead_letters``, dead letters never halt intake; without ``hygiene``, no conversation is quarantined."""
        self._engine = engine
        self._dead_letter_limits = dead_letters
        self._hygiene = hygiene
        self._tombstones = Tombstones()
        self._reads = reader(engine)
        self._window_size = window_size

    def next_offsets(self) -> dict[tuple[str, int], int]:
        """Return the next offset of every (topic, partition) that was read."""
        with self._reads.begin() as connection:
            rows = connection.execute(
                select(positions.c.topic, positions.c.partition, positions.c.next_offset)
            )
            return {(topic, partition): offset for topic, partition, offset in rows}

    def starts(self) -> dict[TopicPartition, Start]:
        """Return where intake continues in every partition that was read."""
        columns = (positions.c.topic, positions.c.partition, positions.c.next_offset, positions.c.topic_id)
        with self._reads.begin() as connection:
            return {TopicPartition(*row[:2]): Start(*row[2:]) for row in connection.execute(select(*columns))}

    def record(self, batch: Batch) -> BatchResult:
        """Store a batch, all or nothing. Records below the stored offsets were counted before and are skipped.

        While intake is halted, the batch is refused and nothing is stored; the batch must be read again later.
        """
        with write(self._engine, "intake") as connection:
            in_intake_order(connection)
            if open_halt(connection) is not None:
                return _REFUSED
            stored = _positions(connection, batch)
            unread = _unread(batch, stored)
            erased = self._tombstones.read(connection)
            # Of what its own tombstones name nothing is stored: before a tombstone it is erased, after it dropped.
            deleted = {tombstone.conversation_hash for tombstone in unread.tombstones}
            usable = _without_erased(_without_erased(unread, erased), deleted)
            brought, quarantined = self._recognise(connection, usable.conversations, batch.received_at)
            insert_conversations(connection, brought.rows, batch.received_at)
            admitted = [row.new for row in brought.rows]
            renamed = note_repeats(connection, brought)
            late = admitted_feedback(connection, name_rows(connection, usable.feedback))
            opinions = [*late, *feedback_in(brought.repeats)]
            add_feedback(connection, opinions, batch.received_at)
            with_feedback = join_feedback(
                connection,
                [
                    *renamed,
                    *(new.row_id for new in opinions),
                    *(new.conversation.conversation_id for new in admitted),
                ],
            )
            number_first_opinions(connection, admitted, with_feedback)
            letters = (*usable.dead_letters, *quarantined)
            add_dead_letters(connection, letters)
            removals = erase_deleted(connection, unread.tombstones, erased=erased, now=batch.received_at)
            _advance(connection, batch, stored)
            closed = close_full_windows(connection, size=self._window_size, now=batch.received_at)
            halt = self._halt(connection, batch.received_at) if letters else None
        if any(removal.took_rows for removal in removals):
            wipe(self._engine)
        return BatchResult(
            conversations=len(admitted),
            held_out=sum(conversation.held_out for conversation in admitted),
            feedback=len(opinions),
            dead_letters=len(letters),
            duplicates=brought.duplicates,
            windows=closed,
            continued=sum(row.continues for row in brought.rows),
            continued_held_out=sum(row.continues and row.new.held_out for row in brought.rows),
            repeated=len(brought.names),
            forgotten=_size(unread) - _size(usable),
            set_aside=len(quarantined),
            not_admitted=len(usable.feedback) - len(late),
            erasures=len(removals),
            published=tuple(at for removal in removals for at in removal.published),
            halt=halt,
        )

    def _recognise(
        self, connection: Connection, read: Sequence[NewConversation], now: datetime
    ) -> tuple[Recognised, list[DeadLetter]]:
        """Return what the records bring, without those that are quarantined, and the dead letters of these."""
        if not read:
            return Recognised(), []
        quarantined: list[DeadLetter] = []
        left = list(read)
        while True:  # a quarantined record may have held the turns that others continue
            known = KnownTurns(connection)
            known.read(left)
            brought = recognise(left, known)
            if self._hygiene is None:
                return brought, quarantined
            new = [row.new for row in brought.rows]
            admitted, letters = quarantine(connection, new, self._hygiene, now=now)
            if not letters:
                return brought, quarantined
            quarantined += letters
            kept = {id(one) for one in admitted}
            refused = {id(row.record) for row in brought.rows if id(row.new) not in kept}
            left = [one for one in left if id(one) not in refused]

    def _halt(self, connection: Connection, now: datetime) -> Halt | None:
        """Halt intake, and return the halt, if too many of the latest records are dead letters."""
        limits = self._dead_letter_limits
        if limits is None:
            return None
        since = last_cleared(connection, HaltKind.DEAD_LETTERS)
        reason = halt_reason(latest_rejections(connection, limit=limits.among, since=since), limits)
        if reason is None:
            return None
        most_frequent = most_frequent_reason(connection, limit=limits.among)
        reason = f"{reason}; mostly {most_frequent}. {_REMEDY}"
        return insert_halt(connection, Halt(kind=HaltKind.DEAD_LETTERS, reason=reason, at=now))


_REMEDY = (
    "See `retuned deadletters list`; fix the producer or raise the limits, then `retuned intake resume -m REASON` and "
    "`retuned deadletters requeue --all`"
)
_REFUSED = BatchResult(
    conversations=0, held_out=0, feedback=0, dead_letters=0, duplicates=0, windows=0, refused=True
)


def _unread(batch: Batch, stored: Mapping[tuple[str, int], int]) -> Batch:
    """Return the batch without the records that were counted before."""

    def is_unread(at: Coordinates) -> bool:
        return at.offset >= stored.get((at.topic, at.partition), 0)

    return replace(
        batch,
        conversations=tuple(new for new in batch.conversations if is_unread(new.at)),
        feedback=tuple(new for new in batch.feedback if is_unread(new.at)),
        dead_letters=tuple(letter for letter in batch.dead_letters if is_unread(letter.at)),
        tombstones=tuple(tombstone for tombstone in batch.tombstones if is_unread(tombstone.at)),
    )


def _without_erased(batch: Batch, erased: AbstractSet[str]) -> Batch:
    """Return the batch without the records of erased users and conversations."""
    if not erased:
        return batch
    return replace(
        batch,
        conversations=tuple(new for new in batch.conversations if erased.isdisjoint(names_of(new))),
        feedback=tuple(
            new for new in batch.feedback if erased.isdisjoint((new.user_hash, new.conversation_hash))
        ),
        dead_letters=tuple(letter for letter in batch.dead_letters if erased.isdisjoint(letter.subjects)),
    )


def _size(batch: Batch) -> int:
    return len(batch.conversations) + len(batch.feedback) + len(batch.dead_letters)


def _positions(connection: Connection, batch: Batch) -> dict[tuple[str, int], int]:
    topics = {topic for topic, _ in batch.next_offsets}
    query = select(positions.c.topic, positions.c.partition, positions.c.next_offset).where(
        positions.c.topic.in_(topics)
    )
    return {(topic, partition): offset for topic, partition, offset in connection.execute(query)}


def _advance(connection: Connection, batch: Batch, stored: Mapping[tuple[str, int], int]) -> None:
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
