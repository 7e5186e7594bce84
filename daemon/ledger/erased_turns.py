"""Names the turns of erased conversations, so that a record that sends them again as history is recognised."""

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, select

from daemon.domain.records import NewConversation
from daemon.domain.turns import owners
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, turns


def erased_turns(connection: Connection, seqs: Collection[int]) -> Iterator[tuple[int, str]]:
    """Yield the names of the answers that rows hold, with the row's seq, before the rows are deleted.

    A first answer without user and session tells a chat only if no other chat began with it; with one of them, it is named
    for these alone, as the chats of others may begin alike.
    """
    joined = turns.join(conversations, conversations.c.seq == turns.c.seq)
    columns = (turns.c.seq, turns.c.digest, turns.c.owned, conversations.c.parent_seq)
    which = in_values(connection, turns.c.seq, seqs) & turns.c.exchange.is_not(None)
    rows = connection.execute(
        select(*columns).select_from(joined).where(which).order_by(turns.c.seq, turns.c.turn)
    ).all()
    first_seen: set[int] = set()
    openings: dict[int, int] = {}
    for seq, digest, owned, parent in rows:
        first = parent is None and seq not in first_seen
        first_seen.add(seq)
        if owned != digest:
            yield seq, turn_name(owned)
        if not first:
            yield seq, turn_name(digest)
        elif owned == digest:
            openings[digest] = seq
    common = set(
        connection.scalars(
            select(turns.c.digest).where(
                in_values(connection, turns.c.digest, openings)
                & (turns.c.owned == turns.c.digest)
                & ~in_values(connection, turns.c.seq, seqs)
            )
        )
    )
    yield from ((seq, turn_name(digest)) for digest, seq in openings.items() if digest not in common)


def names_of(new: NewConversation) -> Iterator[str]:
    """Yield what tombstones may name a record by: its user, its session, its id, and its answers."""
    yield from (
        hash_ for hash_ in (new.user_hash, new.session_hash, new.conversation_hash) if hash_ is not None
    )
    owned_by = owners(new.user_hash, new.session_hash)
    yield from (
        turn_name(turn.digest ^ owner)
        for turn in new.turns
        if turn.exchange is not None
        for owner in owned_by
    )


def turn_name(digest: int) -> str:
    """Return how a tombstone names a turn."""
    return f"turn {digest}"
