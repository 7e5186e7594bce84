"""Stores what the live version and a candidate answered to held-out prompts, so that a person can compare them."""

from collections.abc import Sequence

from sqlalchemy import Engine, RowMapping, delete, func, select

from daemon.domain.answer_pairs import AnswerPair
from daemon.ledger.database import in_intake_order, reader, write
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, gate_answers


class GateAnswerLedger:
    """Pairs of answers by candidate and look, in the order in which the prompts were asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def add(self, candidate: str, look: int, pairs: Sequence[tuple[int, AnswerPair]]) -> None:
        """Store the pairs of a look, each with the seq of its prompt's conversation, in place of those stored before.

        Pairs on conversations that were deleted meanwhile are dropped.
        """
        column = gate_answers.c
        with write(self._engine, "gate_answers") as connection:
            in_intake_order(connection)  # so that nothing is erased meanwhile
            requested = in_values(connection, conversations.c.seq, [seq for seq, _ in pairs])
            present = frozenset(connection.scalars(select(conversations.c.seq).where(requested)))
            same = (column.version == candidate) & (column.look == look)
            connection.execute(delete(gate_answers).where(same))
            rows = [
                {
                    "version": candidate,
                    "look": look,
                    "number": number,
                    "seq": seq,
                    "question": pair.question,
                    "good": pair.good,
                    "live": pair.live,
                    "candidate": pair.candidate,
                    "live_failed": list(pair.live_failed),
                    "candidate_failed": list(pair.candidate_failed),
                    "live_f1": pair.live_f1,
                    "candidate_f1": pair.candidate_f1,
                }
                for number, (seq, pair) in enumerate(pairs)
                if seq in present
            ]
            if rows:
                connection.execute(gate_answers.insert(), rows)

    def of(self, candidate: str, look: int | None = None) -> list[AnswerPair]:
        """Return the pairs of a look, by default of the newest one that has any."""
        column = gate_answers.c
        if_unset = select(func.max(column.look)).where(column.version == candidate).scalar_subquery()
        query = (
            select(gate_answers)
            .where((column.version == candidate) & (column.look == (if_unset if look is None else look)))
            .order_by(column.number)
        )
        with self._reads.begin() as connection:
            return [_pair(row) for row in connection.execute(query).mappings()]


def _pair(row: RowMapping) -> AnswerPair:
    return AnswerPair(
        question=row["question"],
        good=row["good"],
        live=row["live"],
        candidate=row["candidate"],
        live_failed=tuple(row["live_failed"]),
        candidate_failed=tuple(row["candidate_failed"]),
        live_f1=row["live_f1"],
        candidate_f1=row["candidate_f1"],
    )
