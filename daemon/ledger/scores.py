"""Stores the scores of live versions on drawn conversations."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from daemon.ledger.database import in_intake_order, insert_or_ignore
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, scores


def insert_scores(
    connection: Connection, version: str, new_scores: Mapping[int, tuple[float, int]]
) -> list[int]:
    """Store a version's scores, (nll, tokens), by seq; return the seqs that are still in the ledger, in the order given.

    Scores on conversations that were deleted meanwhile are dropped. A score that is stored already is kept.
    """
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
