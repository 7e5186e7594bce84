"""Keeps what becomes known of conversations late, in the order in which it did: opinions, or none, a version's losses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, RowMapping, Select, func, select

from daemon.domain.windows import SeqRange
from daemon.ledger.database import insert_or_ignore, reader, write
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, losses, opinions, runs, scores
from daemon.ledger.trainings import put_scores


@dataclass(frozen=True, kw_only=True, slots=True)
class LateSignal:
    """What became known of a conversation."""

    number: int  # rises in the order of arrival; never used again
    seq: int
    #: An opinion's score from -1 (worst) to 1 (best); 1 where a user said what he thinks, else 0; or a loss in nats per
    #: token, None where there was no reply.
    value: float | None
    kind: str = ""  # of an opinion: thumb, rating or correction
    delay: timedelta | None = (
        None  # of an opinion: after the conversation; None where nobody noted when it was given
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawable:
    """A conversation that may be drawn for scoring."""

    seq: int
    hash: str  # keyed hash of its id


class SignalLedger:
    """Opinions are numbered by the intake, losses here."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def opinions(self, *, after: int, limit: int) -> list[LateSignal]:
        """Return what users first thought of conversations, the next ones after a number."""
        query = _opinions().where(opinions.c.number > after).order_by(opinions.c.number).limit(limit)
        with self._reads.begin() as connection:
            return list(map(_opinion, connection.execute(query).mappings()))

    def opinions_on(self, seqs: Iterable[int]) -> dict[int, LateSignal]:
        """Return what users first thought of these conversations, by seq."""
        with self._reads.begin() as connection:
            query = _opinions().where(in_values(connection, opinions.c.seq, seqs))
            return {row["seq"]: _opinion(row) for row in connection.execute(query).mappings()}

    def spoken(self, *, after: int, limit: int, now: datetime, wait: timedelta) -> list[LateSignal]:
        """Return of the next conversations after one, by seq, whether users said within ``wait`` what they think.

        Those come to an end with the first that is too young. A conversation is old enough where it was received so long
        ago, and the stream was read on for as long by its own times: what waits to be read, after an outage or while intake
        is halted, is no silence. An opinion of a time that nobody noted was in time.
        """
        row = conversations.c
        query = (
            select(row.seq, row.at, row.received_at, opinions.c.number, opinions.c.at)
            .select_from(conversations.outerjoin(opinions, opinions.c.seq == row.seq))
            .where(row.seq > after)
            .order_by(row.seq)
            .limit(limit)
        )
        newest = select(row.at).order_by(row.seq.desc()).limit(1)
        told: list[LateSignal] = []
        with self._reads.begin() as connection:
            read_until = connection.scalar(newest)
            for seq, at, received, opinion, said_at in connection.execute(query):
                # The earlier of both, as a conversation of the future would hold up all that come after.
                if now - received < wait or read_until is None or read_until - min(at, received) < wait:
                    break
                in_time = opinion is not None and (said_at is None or said_at - at <= wait)
                told.append(LateSignal(number=seq, seq=seq, value=float(in_time)))
        return told

    def losses(self, version: str, *, after: int, limit: int) -> list[LateSignal]:
        """Return the losses of a version on conversations that were drawn, the next ones after a number."""
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

    def add_losses(self, version: str, found: Mapping[int, tuple[float, int]]) -> None:
        """Keep (nll, tokens) of a version for conversations that were drawn, but for those that are gone since."""
        with write(self._engine, "losses") as connection:
            there = put_scores(connection, version, found)
            if there:
                rows = [{"version": version, "seq": seq} for seq in there]
                connection.execute(insert_or_ignore(connection, losses), rows)

    def last_drawn(self, version: str) -> int:
        """Return the newest conversation that was drawn for a version; 0 where there is none."""
        with self._reads.begin() as connection:
            return connection.scalar(select(func.max(losses.c.seq)).where(losses.c.version == version)) or 0

    def drawn(self, version: str, span: SeqRange) -> frozenset[int]:
        """Return the conversations of a range that were drawn for a version."""
        inside = losses.c.seq.between(span.first, span.last)
        with self._reads.begin() as connection:
            return frozenset(
                connection.scalars(select(losses.c.seq).where((losses.c.version == version) & inside))
            )

    def unlearned(self, span: SeqRange) -> list[Drawable]:
        """Return the conversations of a range that no version knows by heart, nor nearly.

        Those are the held-out ones, near which nothing is learned from, and what came after all that any run learned from.
        """
        until = select(func.coalesce(func.max(runs.c.until_seq), 0)).scalar_subquery()
        inside = conversations.c.seq.between(span.first, span.last)
        query = select(conversations.c.seq, conversations.c.conversation_hash).where(
            inside & (conversations.c.held_out | (conversations.c.seq > until))
        )
        with self._reads.begin() as connection:
            return [Drawable(seq=seq, hash=name) for seq, name in connection.execute(query)]

    def after(self, seq: int, limit: int) -> list[Drawable]:
        """Return the next conversations after one."""
        columns = (conversations.c.seq, conversations.c.conversation_hash)
        query = select(*columns).where(conversations.c.seq > seq).order_by(conversations.c.seq).limit(limit)
        with self._reads.begin() as connection:
            return [Drawable(seq=number, hash=name) for number, name in connection.execute(query)]


def _opinions() -> Select[*tuple[object, ...]]:
    columns = (opinions, conversations.c.at.label("talked_at"))
    return select(*columns).select_from(opinions.join(conversations, conversations.c.seq == opinions.c.seq))


def _opinion(row: RowMapping) -> LateSignal:
    delay = None if row["at"] is None else row["at"] - row["talked_at"]
    return LateSignal(number=row["number"], seq=row["seq"], value=row["score"], kind=row["kind"], delay=delay)
