"""Lets conversations forget the corrections of an erased user who corrected the answers that others got."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, select, update

from daemon.ledger.corrections import join_corrections
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, gate_answers, training_records


def forget_corrections(connection: Connection, erased: Mapping[str, str]) -> list[tuple[str, str]]:
    """Let conversations go back to an earlier correction, and mark the training records whose lesson took an erased one.

    ``erased`` are the ids of the conversations by the digest of the erased feedback record. Returns digest and run of
    each marked record.
    """
    ids = frozenset(erased.values())
    join_corrections(connection, ids)
    _remove_answers(connection, ids)
    hashes = connection.scalars(
        select(conversations.c.conversation_hash).where(
            in_values(connection, conversations.c.conversation_id, ids)
        )
    ).all()
    column = training_records.c
    taken = column.lesson["correction"].as_string()
    matches = in_values(connection, column.conversation_hash, hashes) & in_values(connection, taken, erased)
    found = [(digest, run) for digest, run in connection.execute(select(taken, column.run).where(matches))]
    if found:
        connection.execute(update(training_records).where(matches).values(sha256=None, erased=True))
    return found


def _remove_answers(connection: Connection, ids: Collection[str]) -> None:
    """Remove what the gate kept of these conversations: the corrections stand there as good answers."""
    which = in_values(connection, conversations.c.conversation_id, ids)
    seqs = connection.scalars(select(conversations.c.seq).where(which)).all()
    connection.execute(delete(gate_answers).where(in_values(connection, gate_answers.c.seq, seqs)))
