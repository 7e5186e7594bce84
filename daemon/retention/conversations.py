"""Prunes conversations that are no longer needed, so that the ledger's size stays steady under an endless stream.

Of old conversations a uniform sample stays (bottom-k sampling: those with the smallest keyed hashes; Cohen & Kaplan
2007), so replay and gates still know all of the past. Which they are does not depend on when, how often or by which
replica the ledger is pruned.
"""

from collections.abc import Sequence
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
    losses,
    opinions,
    past_conversations,
    scores,
    windows,
)

#: Most rows that one transaction deletes.
PAGE = 4_000
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class ConversationRetention:
    """Prunes conversations with what belongs to them, and feedback whose conversation never came."""

    def __init__(self, engine: Engine, keep: RetentionSection) -> None:
        self._engine = engine
        self._reads = reader(engine)
        self._keep = keep
        self._looked_until = _LONG_AGO  # no feedback received before then waits any more

    def prune(self, now: datetime) -> int:
        """Delete a page of conversations; return how many. 0 means that nothing is left to do."""
        with self._reads.begin() as connection:
            due = self._aged(connection, now) or self._surplus(connection)
        if due:
            with write(self._engine, "retention") as connection:
                in_intake_order(connection)
                _remove(connection, due)
                _bound_past(connection, self._keep.known_ids)
                replace_depleted_reference(connection, now)
        return len(due)

    def prune_feedback(self, now: datetime) -> int:
        """Delete a page of feedback whose conversation never came; return how much."""
        until = now - timedelta(days=self._keep.feedback_days)
        came = exists().where(conversations.c.conversation_id == feedback.c.conversation_id)
        waited = (feedback.c.received_at >= self._looked_until) & (feedback.c.received_at < until)
        with self._reads.begin() as connection:
            due = connection.scalars(select(feedback.c.digest).where(waited & ~came).limit(PAGE)).all()
        if due:
            with write(self._engine, "retention.feedback") as connection:
                connection.execute(delete(feedback).where(in_values(connection, feedback.c.digest, due)))
        if len(due) < PAGE:
            self._looked_until = max(self._looked_until, until)
        return len(due)

    def _aged(self, connection: Connection, now: datetime) -> Sequence[int]:
        """Return the oldest that are too old. Their order is that in which they were read."""
        if self._keep.max_age_days is None:
            return ()
        horizon = now - timedelta(days=self._keep.max_age_days)
        query = select(conversations.c.seq, conversations.c.received_at).order_by(conversations.c.seq)
        rows = connection.execute(query.limit(PAGE)).all()
        return [seq for seq, _ in takewhile(lambda row: row[1] < horizon, rows)]

    def _surplus(self, connection: Connection) -> Sequence[int]:
        """Return old ones beyond the sample, of one side, once there are enough to be worth it."""
        compared, waiting = kept_references(connection), _unjudged(connection)
        for held_out in (False, True):
            old = [
                (hash_, seq)
                for seq, hash_ in self._old(connection, held_out)
                if not any(span.first <= seq <= span.last for span in waiting)
                and not any(reference.holds(seq, hash_) for reference in compared)
            ]
            surplus = sorted(old)[self._keep.sample :]
            if len(surplus) >= min(PAGE, max(1, self._keep.sample // 10)):
                return sorted(seq for _, seq in surplus)[:PAGE]
        return ()

    def _old(self, connection: Connection, held_out: bool) -> Sequence[tuple[int, str]]:
        """Return the oldest of those before the newest ones, of one side, by the index alone.

        The smallest hashes of a part are the smallest of all as far as the part goes, so a part at a time is enough.
        """
        seq, side = conversations.c.seq, conversations.c.held_out == held_out
        newest = select(seq).where(side).order_by(seq.desc())
        last = connection.scalar(newest.offset(self._keep.conversations).limit(1))
        if last is None:
            return ()
        query = select(seq, conversations.c.conversation_hash).where(side & (seq <= last)).order_by(seq)
        rows = connection.execute(query.limit(self._keep.sample + 4 * PAGE)).all()
        return [(number, hash_) for number, hash_ in rows]


def _unjudged(connection: Connection) -> list[SeqRange]:
    """Return the windows that monitors have still to see."""
    query = select(windows.c.first_seq, windows.c.last_seq).where(windows.c.judged_at.is_(None))
    return [SeqRange(first=first, last=last) for first, last in connection.execute(query)]


def _remove(connection: Connection, seqs: Sequence[int]) -> None:
    """Take conversations out, with what was found and said of them, and remember their ids."""
    conversation = conversations.c
    columns = (
        conversation.conversation_id,
        conversation.conversation_hash,
        conversation.text_digest,
        conversation.held_out,
    )
    rows = connection.execute(select(*columns).where(in_values(connection, conversation.seq, seqs))).all()
    gone = [
        {"conversation_hash": hash_, "text_digest": None if held_out else digest}
        for _, hash_, digest, held_out in rows
    ]
    if gone:  # not, if somebody was forgotten meanwhile
        connection.execute(insert_or_ignore(connection, past_conversations), gone)
    for table in (scores, losses, opinions):
        connection.execute(delete(table).where(in_values(connection, table.c.seq, seqs)))
    their_feedback = in_values(connection, feedback.c.conversation_id, [row[0] for row in rows])
    connection.execute(delete(feedback).where(their_feedback))
    connection.execute(delete(conversations).where(in_values(connection, conversation.seq, seqs)))


def _bound_past(connection: Connection, known: int) -> None:
    newest = connection.scalar(select(func.max(past_conversations.c.id))) or 0
    connection.execute(delete(past_conversations).where(past_conversations.c.id <= newest - known))
