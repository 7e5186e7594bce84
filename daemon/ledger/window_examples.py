"""Removes deleted conversations from the examples in explanations."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, select, update

from daemon.ledger.tables import conversations, windows
from daemon.ledger.triages import remove_triage_examples


def remove_examples(connection: Connection, seqs: Sequence[int], ids: Sequence[str]) -> None:
    """Remove conversations from the examples of windows and triages."""
    if not seqs:
        return
    around = (windows.c.first_seq <= max(seqs)) & (windows.c.last_seq >= min(seqs))
    query = select(windows.c.number, windows.c.explanation).where(around & windows.c.judged_at.is_not(None))
    removed = frozenset(ids)
    for number, explanation in connection.execute(query).all():
        remaining = _with_examples(explanation, lambda id_: id_ not in removed)
        if remaining != explanation:
            connection.execute(
                update(windows).where(windows.c.number == number).values(explanation=remaining)
            )
    remove_triage_examples(connection, ids)


def with_stored_examples(
    connection: Connection, explanation: Mapping[str, object] | None
) -> Mapping[str, object] | None:
    """Return an explanation with only those examples that are stored."""
    named = (explanation or {}).get("examples")
    if not isinstance(named, Sequence):
        return explanation
    id_ = conversations.c.conversation_id
    stored = set(connection.scalars(select(id_).where(id_.in_(list(named)))))
    return _with_examples(explanation, stored.__contains__)


def _with_examples(
    explanation: Mapping[str, object] | None, keeps: Callable[[str], bool]
) -> Mapping[str, object] | None:
    named = (explanation or {}).get("examples")
    if explanation is None or not isinstance(named, Sequence):
        return explanation
    return {**explanation, "examples": [id_ for id_ in named if keeps(id_)]}
