"""Finds the rows of users and conversations that are to be erased."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, other_names


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """The user or conversation to erase. The ledger keeps only the keyed hash."""

    kind: str  # user or conversation
    id: str  # as in the records
    hash: str


def rows_of_subjects(
    connection: Connection, subjects: Sequence[Subject]
) -> Iterator[tuple[int, str, str, str]]:
    """Return seq, id and hash of each row of subjects of one kind, with the hash of its subject, in order of seq.

    A conversation has all rows of its thread, whichever of its ids names it. Those of a user are the rows with the user's
    hash, and the rows of their threads that name no user.
    """
    if any(subject.kind == "user" for subject in subjects):
        yield from _of_users(connection, subjects)
    else:
        yield from _of_conversations(connection, subjects)


_column = conversations.c
_ROW = (_column.seq, _column.conversation_id, _column.conversation_hash)


def _of_users(connection: Connection, subjects: Sequence[Subject]) -> Iterator[tuple[int, str, str, str]]:
    users = in_values(connection, _column.user_hash, [subject.hash for subject in subjects])
    named = connection.execute(
        select(*_ROW, _column.user_hash, _column.thread).where(users).order_by(_column.seq)
    )
    threads: dict[int, str] = {}
    for seq, id_, hash_, user, thread in named.all():
        threads.setdefault(thread or seq, user)
        yield seq, id_, hash_, user
    unnamed = _of_threads(connection, threads, unnamed=True)
    yield from ((seq, id_, hash_, threads[thread or seq]) for seq, id_, hash_, thread in unnamed)


def _of_conversations(
    connection: Connection, subjects: Sequence[Subject]
) -> Iterator[tuple[int, str, str, str]]:
    by_id = {name: subject.hash for subject in subjects for name in (subject.id, subject.hash)}
    hashes = {subject.hash for subject in subjects}
    threads: dict[int, str] = {}
    columns = (_column.seq, _column.thread)
    # By the id, which has an index; an id with personal data is stored as its hash.
    with_id = select(*columns, _column.conversation_id).where(
        in_values(connection, _column.conversation_id, by_id)
    )
    for seq, thread, id_ in connection.execute(with_id):
        threads.setdefault(thread or seq, by_id[id_])
    of_session = select(*columns, _column.session_hash).where(
        in_values(connection, _column.session_hash, hashes)
    )
    for seq, thread, hash_ in connection.execute(of_session):
        threads.setdefault(thread or seq, hash_)
    joined = other_names.join(conversations, _column.seq == other_names.c.seq)
    named = in_values(connection, other_names.c.conversation_hash, hashes)
    others = select(*columns, other_names.c.conversation_hash).select_from(joined).where(named)
    for seq, thread, hash_ in connection.execute(others):
        threads.setdefault(thread or seq, hash_)
    for seq, id_, hash_, thread in _of_threads(connection, threads):
        yield seq, id_, hash_, threads[thread or seq]


def _of_threads(
    connection: Connection, threads: dict[int, str], *, unnamed: bool = False
) -> Sequence[tuple[int, str, str, int | None]]:
    """Return the rows of threads, or those of them that name no user."""
    if not threads:
        return []
    which = in_values(connection, _column.thread, threads) | in_values(connection, _column.seq, threads)
    if unnamed:
        which &= _column.user_hash.is_(None)
    query = select(*_ROW, _column.thread).where(which).order_by(_column.seq)
    return [(seq, id_, hash_, thread) for seq, id_, hash_, thread in connection.execute(query)]
