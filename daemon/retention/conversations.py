"""Deletes conversations that are no longer needed, so that the ledger stops growing under an endless stream.

Of old conversations it keeps a uniform sample, those with the smallest keyed hashes (bottom-k sampling; Cohen & Kaplan
2007), so that replay and gates still draw from all of the past. The sample does not depend on when, how often or by which
replica the ledger is pruned.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from sqlalchemy import Connection, Engine, delete, exists, func, select

from daemon.config.settings import RetentionSection
from daemon.domain.windows import SeqRange
from daemon.ledger.database import in_intake_order, insert_or_ignore, reader, write
from daemon.ledger.reference_filling import replace_depleted_reference
from daemon.ledger.reference_rows import kept_references
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import (
    conversations,
    feedback,
    gate_answers,
    lesson_scores,
    losses,
    opinions,
    other_names,
    past_conversations,
    scores,
    turns,
    windows,
)
from daemon.ledger.teacher import forget_answers

#: The most rows that one transaction deletes from a table.
PAGE = 4_000
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class ConversationRetention:
    """Deletes conversations with all that belongs to them, and feedback whose conversation never arrived."""

    def __init__(self, engine: Engine, limits: Callable[[], RetentionSection]) -> None:
        self._engine = engine
        self._reads = reader(engine)
        self._read_limits = limits
        # All feedback received before this moment has a conversation, or was deleted.
        self._feedback_checked_until = _LONG_AGO

    @property
    def _limits(self) -> RetentionSection:
        return self._read_limits()

    def prune(self, now: datetime) -> int:
        """Delete a page of conversations; return how many. 0 means that none is left to delete."""
        with self._reads.begin() as connection:
            due = self._expired(connection, now) or self._surplus(connection)
        if due:
            with write(self._engine, "retention") as connection:
                in_intake_order(connection)
                _remove(connection, due)
                _limit_past(connection, self._limits.known_ids)
                _limit_turns(connection, self._limits.known_ids)
                replace_depleted_reference(connection, now)
        return len(due)

    def prune_feedback(self, now: datetime) -> int:
        """Delete a page of feedback whose conversation never arrived; return how many records."""
        until = now - timedelta(days=self._limits.feedback_days)
        has_conversation = exists().where(conversations.c.conversation_id == feedback.c.conversation_id)
        expired = (feedback.c.received_at >= self._feedback_checked_until) & (feedback.c.received_at < until)
        with self._reads.begin() as connection:
            due = connection.scalars(
                select(feedback.c.digest).where(expired & ~has_conversation).limit(PAGE)
            ).all()
        if due:
            with write(self._engine, "retention.feedback") as connection:
                connection.execute(delete(feedback).where(in_values(connection, feedback.c.digest, due)))
        if len(due) < PAGE:
            self._feedback_checked_until = max(self._feedback_checked_until, until)
        return len(due)

    def _expired(self, connection: Connection, now: datetime) -> Sequence[int]:
        """Return a page of the conversations that are older than ``max_age_days``, in the order in which they were read."""
        if self._limits.max_age_days is None:
            return ()
        horizon = now - timedelta(days=self._limits.max_age_days)
        query = select(conversations.c.seq, conversations.c.received_at).order_by(conversations.c.seq)
        rows = connection.execute(query.limit(PAGE)).all()
        return [seq for seq, _ in takewhile(lambda row: row[1] < horizon, rows)]

    def _surplus(self, connection: Connection) -> Sequence[int]:
        """Return a page of old conversations outside the sample, of one side of the split, once there are enough of them."""
        references, unjudged = kept_references(connection), _unjudged_ranges(connection)
        for held_out in (False, True):
            old = [
                (key, seq)
                for seq, hash_, key in self._old(connection, held_out)
                if not any(span.first <= seq <= span.last for span in unjudged)
                and not any(reference.holds(seq, hash_) for reference in references)
            ]
            surplus = sorted(old)[self._limits.sample :]
            if len(surplus) >= min(PAGE, max(1, self._limits.sample // 10)):
                return sorted(seq for _, seq in surplus)[:PAGE]
        return ()

    def _old(self, connection: Connection, held_out: bool) -> Sequence[tuple[int, str, str]]:
        """Return the oldest rows of one side, as seq, hash and what decides whether they are in the sample.

        The newest rows and those of conversations that still grow are not among them, as they are kept. Not all old rows
        are read: one outside the sample of a part is outside the sample of all. Reads the index alone.
        """
        seq, side = conversations.c.seq, conversations.c.held_out == held_out
        newest = select(seq).where(side).order_by(seq.desc())
        last = connection.scalar(newest.offset(self._limits.conversations).limit(1))
        if last is None:
            return ()
        columns = (seq, conversations.c.conversation_hash, conversations.c.thread)
        query = select(*columns).where(side & (seq <= last)).order_by(seq)
        rows = connection.execute(query.limit(self._limits.sample + 4 * PAGE)).all()
        growing = _growing(connection, last)
        keys = _first_hashes(connection, {thread for _, _, thread in rows if thread is not None})
        return [
            (number, hash_, keys.get(thread, hash_))
            for number, hash_, thread in rows
            if (thread or number) not in growing
        ]


def _growing(connection: Connection, last: int) -> frozenset[int]:
    """Return the first rows of the conversations that have rows after ``last`` and before."""
    thread = conversations.c.thread
    grown = (
        select(thread).where(thread.is_not(None) & (thread <= last) & (conversations.c.seq > last)).distinct()
    )
    return frozenset(connection.scalars(grown))


def _first_hashes(connection: Connection, threads: Collection[int]) -> dict[int, str]:
    """Return the hashes of the first rows of conversations, so that all their rows stay, or go, together."""
    if not threads:
        return {}
    columns = (conversations.c.seq, conversations.c.conversation_hash)
    return dict(
        connection.execute(select(*columns).where(in_values(connection, conversations.c.seq, threads))).all()
    )


def _unjudged_ranges(connection: Connection) -> list[SeqRange]:
    """Return the ranges of the windows that are not judged yet."""
    query = select(windows.c.first_seq, windows.c.last_seq).where(windows.c.judged_at.is_(None))
    return [SeqRange(first=first, last=last) for first, last in connection.execute(query)]


def _remove(connection: Connection, seqs: Sequence[int]) -> None:
    """Delete conversations with their scores, answers, losses, opinions and feedback, and store the hashes of their ids."""
    conversation = conversations.c
    columns = (
        conversation.conversation_id,
        conversation.conversation_hash,
        conversation.text_digest,
        conversation.held_out,
    )
    rows = connection.execute(select(*columns).where(in_values(connection, conversation.seq, seqs))).all()
    past = [
        {"conversation_hash": hash_, "text_digest": None if held_out else digest}
        for _, hash_, digest, held_out in rows
    ]
    if past:  # empty if all of them were erased meanwhile
        connection.execute(insert_or_ignore(connection, past_conversations), past)
    forget_answers(connection, seqs, questions=False)
    for table in (scores, lesson_scores, gate_answers, losses, opinions):
        connection.execute(delete(table).where(in_values(connection, table.c.seq, seqs)))
    their_feedback = in_values(connection, feedback.c.conversation_id, [row[0] for row in rows])
    connection.execute(delete(feedback).where(their_feedback))
    connection.execute(delete(conversations).where(in_values(connection, conversation.seq, seqs)))


def _limit_past(connection: Connection, known: int) -> None:
    """Delete all past conversations but the newest ``known``."""
    newest = connection.scalar(select(func.max(past_conversations.c.id))) or 0
    connection.execute(delete(past_conversations).where(past_conversations.c.id <= newest - known))


def _limit_turns(connection: Connection, known: int) -> None:
    """Delete a page of the turns, and of the other ids, of deleted rows that are not among the newest ``known`` rows."""
    newest = connection.scalar(select(func.max(conversations.c.seq))) or 0
    for table in (turns, other_names):
        stored = exists().where(conversations.c.seq == table.c.seq)
        old = select(table.c.seq).where((table.c.seq <= newest - known) & ~stored).distinct().limit(PAGE)
        gone = connection.scalars(old).all()
        if gone:
            connection.execute(delete(table).where(in_values(connection, table.c.seq, gone)))
