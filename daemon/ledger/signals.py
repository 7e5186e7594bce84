"""Reads and stores late signals: users' opinions, whether they gave feedback, and losses of the live version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from sqlalchemy import Engine, RowMapping, Select, func, select

from daemon.domain.windows import SeqRange
from daemon.ledger.database import insert_or_ignore, reader, write
from daemon.ledger.reading_progress import read_until
from daemon.ledger.scores import insert_scores
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, losses, opinions, runs, scores


@dataclass(frozen=True, kw_only=True, slots=True)
class LateSignal:
    """A fact about a conversation that became known after the conversation was stored."""

    number: int  # rises in the order of arrival; never reused
    seq: int
    #: Of an opinion, its score from -1 (worst) to 1 (best). Of feedback given or not, 1 or 0. Of a loss, nats per token;
    #: None if the conversation has no reply.
    value: float | None
    kind: str = ""  # of an opinion: thumb, rating or correction
    #: Of an opinion, the time after the conversation; None if an older release stored it without a time.
    delay: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoringCandidate:
    """A conversation that may be drawn for scoring by the live version."""

    seq: int
    hash: str  # keyed hash of its id


class SignalLedger:
    """The late signals. Intake numbers the opinions, ``add_losses`` the losses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def opinions(self, *, after: int, limit: int) -> list[LateSignal]:
        """Return the first opinions on conversations, from the one after number ``after`` on."""
        query = _opinions().where(opinions.c.number > after).order_by(opinions.c.number).limit(limit)
        with self._reads.begin() as connection:
            return list(map(_opinion, connection.execute(query).mappings()))

    def opinions_on(self, seqs: Iterable[int]) -> dict[int, LateSignal]:
        """Return the first opinions on these conversations, by seq."""
        with self._reads.begin() as connection:
            query = _opinions().where(in_values(connection, opinions.c.seq, seqs))
            return {row["seq"]: _opinion(row) for row in connection.execute(query).mappings()}

    def feedback_given(self, *, after: int, limit: int, now: datetime, wait: timedelta) -> list[LateSignal]:
        """Return whether users gave feedback within ``wait``, for the next conversations after seq ``after``, in order.

        The list ends before the first conversation whose feedback may still be missing: one that was received less than
        ``wait`` ago, or after which the stream was not read for another ``wait`` (see ``read_until``). Feedback without
        a time, stored by an older release, counts as in time.
        """
        column = conversations.c
        query = (
            select(column.seq, column.at, column.received_at, opinions.c.number, opinions.c.at)
            .select_from(conversations.outerjoin(opinions, opinions.c.seq == column.seq))
            .where(column.seq > after)
            .order_by(column.seq)
            .limit(limit)
        )
        with self._reads.begin() as connection:
            rows = connection.execute(query).all()
            old = list(takewhile(lambda row: now - row[2] >= wait, rows))
            read = read_until(connection, active_since=now - wait) if old else now
        signals: list[LateSignal] = []
        for seq, at, received, opinion, given_at in old:
            # The earlier of both, so that a conversation dated in the future does not block those after it.
            if read - min(at, received) < wait:
                break
            in_time = opinion is not None and (given_at is None or given_at - at <= wait)
            signals.append(LateSignal(number=seq, seq=seq, value=float(in_time)))
        return signals

    def losses(self, version: str, *, after: int, limit: int) -> list[LateSignal]:
        """Return a version's losses on drawn conversations, from the one after number ``after`` on."""
        scored = (scores.c.version == losses.c.version) & (scores.c.seq == losses.c.seq)
        query = (
            select(losses.c.number, losses.c.seq, scores.c.nll, scores.c.tokens)
            .select_from(losses.join(scores, scored))
            .where((losses.c.version == version) & (losses.c.number > after))
            .order_by(losses.c.number)
            .limit(limit)
        )
        with self._reads.begin() as connection:
            return [
                LateSignal(number=number, seq=seq, value=nll / tokens if tokens else None)
                for number, seq, nll, tokens in connection.execute(query)
            ]

    def add_losses(self, version: str, new_scores: Mapping[int, tuple[float, int]]) -> None:
        """Store a version's scores, (nll, tokens), on drawn conversations, except on those that were deleted meanwhile."""
        with write(self._engine, "losses") as connection:
            stored = insert_scores(connection, version, new_scores)
            if stored:
                rows = [{"version": version, "seq": seq} for seq in stored]
                connection.execute(insert_or_ignore(connection, losses), rows)

    def last_drawn(self, version: str) -> int:
        """Return the seq of the newest conversation that was drawn for a version; 0 if none was."""
        with self._reads.begin() as connection:
            return connection.scalar(select(func.max(losses.c.seq)).where(losses.c.version == version)) or 0

    def drawn(self, version: str, span: SeqRange) -> frozenset[int]:
        """Return the seqs in a range that were drawn for a version."""
        inside = losses.c.seq.between(span.first, span.last)
        with self._reads.begin() as connection:
            return frozenset(
                connection.scalars(select(losses.c.seq).where((losses.c.version == version) & inside))
            )

    def never_trained_on(self, span: SeqRange) -> list[ScoringCandidate]:
        """Return the conversations of a range that no version can have memorised.

        These are the held-out ones, which runs avoid together with near-duplicates, and all after the newest one that any
        run learned from.
        """
        until = select(func.coalesce(func.max(runs.c.until_seq), 0)).scalar_subquery()
        inside = conversations.c.seq.between(span.first, span.last)
        query = select(conversations.c.seq, conversations.c.conversation_hash).where(
            inside & (conversations.c.held_out | (conversations.c.seq > until))
        )
        with self._reads.begin() as connection:
            return [ScoringCandidate(seq=seq, hash=name) for seq, name in connection.execute(query)]

    def after(self, seq: int, limit: int) -> list[ScoringCandidate]:
        """Return the next conversations after a seq."""
        columns = (conversations.c.seq, conversations.c.conversation_hash)
        query = select(*columns).where(conversations.c.seq > seq).order_by(conversations.c.seq).limit(limit)
        with self._reads.begin() as connection:
            return [ScoringCandidate(seq=number, hash=name) for number, name in connection.execute(query)]


def _opinions() -> Select[*tuple[object, ...]]:
    columns = (opinions, conversations.c.at.label("conversation_at"))
    return select(*columns).select_from(opinions.join(conversations, conversations.c.seq == opinions.c.seq))


def _opinion(row: RowMapping) -> LateSignal:
    delay = None if row["at"] is None else row["at"] - row["conversation_at"]
    return LateSignal(number=row["number"], seq=row["seq"], value=row["score"], kind=row["kind"], delay=delay)
