"""Stores the scores of versions on conversations, so that none is computed twice."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, select

from daemon.ledger.database import in_intake_order, insert_or_ignore, reader, write
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, scores


class ScoreLedger:
    """Scores by version and conversation, as (nll, tokens): nats of all target tokens, and how many these are."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads = reader(engine)

    def of(self, version: str, seqs: Iterable[int]) -> dict[int, tuple[float, int]]:
        """Return a version's stored scores on these conversations, by seq."""
        with self._reads.begin() as connection:
            requested = in_values(connection, scores.c.seq, seqs)
            query = select(scores.c.seq, scores.c.nll, scores.c.tokens)
            rows = connection.execute(query.where((scores.c.version == version) & requested))
            return {seq: (nll, tokens) for seq, nll, tokens in rows}

    def add(self, version: str, new_scores: Mapping[int, tuple[float, int]]) -> None:
        """Store a version's scores by seq.

        Scores on conversations that were deleted meanwhile are dropped. A score that is stored already is kept.
        """
        if new_scores:
            with write(self._engine, "scores") as connection:
                insert_scores(connection, version, new_scores)


def insert_scores(
    connection: Connection, version: str, new_scores: Mapping[int, tuple[float, int]]
) -> list[int]:
    """Do what ``ScoreLedger.add`` does; return the seqs that are still in the ledger, in the order given."""
    in_intake_order(connection)  # so that nothing is erased meanwhile
    requested = in_values(connection, conversations.c.seq, new_scores)
    present = frozenset(connection.scalars(select(conversations.c.seq).where(requested)))
    rows: list[dict[str, Any]] = [
        {"version": version, "seq": seq, "nll": nll, "tokens": tokens}
        for seq, (nll, tokens) in new_scores.items()
        if seq in present
    ]
    if rows:
        connection.execute(insert_or_ignore(connection, scores), rows)
    return [row["seq"] for row in rows]
