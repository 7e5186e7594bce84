"""Looks up which turns of a batch's records are known: stored already, or brought by the batch itself."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, func, select

from daemon.domain.message_json import messages_from
from daemon.domain.records import NewConversation
from daemon.domain.turns import answered, owner_of, owners, turns_of
from daemon.ledger.sql_in import in_pairs, in_values
from daemon.ledger.tables import conversations, other_names, past_conversations, turns


@dataclass(slots=True, eq=False)
class Thread:
    """A conversation that grows, named by its first row."""

    seq: int = 0  # 0 until the first row has one


@dataclass(slots=True, eq=False)
class KnownRow:
    """A row of the ledger, or one that the batch adds."""

    thread: Thread
    held_out: bool
    seq: int = 0  # 0 until a row of the batch has one
    conversation_id: str | None = None  # None: retention deleted the row
    user_hash: str | None = None
    session_hash: str | None = None
    group: str = ""
    record_sha256: str = ""
    at: datetime | None = None


@dataclass(slots=True, eq=False)
class KnownTurn:
    """A turn that a row holds."""

    row: KnownRow
    number: int  # in the row, from 1
    digest: int
    exchange: int | None
    request: int | None
    claimed: bool  # whether a record ended with it


class KnownTurns:
    """The known rows and turns that the records of a batch may repeat or continue."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._by_id: dict[str, KnownRow] = {}
        self._by_name: dict[str, KnownRow] = {}
        self._by_owned: defaultdict[int, list[KnownTurn]] = defaultdict(list)
        #: All known digests, with the newest turn that has it; None where that is nobody's or before any answer.
        self._newest: dict[int, KnownTurn | None] = {}
        self._deleted: frozenset[str] = frozenset()
        self._rows: dict[int, KnownRow] = {}
        self._threads: dict[int, Thread] = {}
        self._of_thread: dict[Thread, list[KnownTurn]] = {}
        self._sessions: dict[str, KnownRow] = {}

    def read(self, batch: Sequence[NewConversation]) -> None:
        """Look up the ids and turns of a batch."""
        self._read_ids(batch)
        self._read_sessions({new.session_hash for new in batch if new.session_hash is not None})
        self._read_turns(batch)
        self._read_unindexed()

    def row_of(self, new: NewConversation) -> KnownRow | None:
        """Return the row that has a record's id, or that held all its turns before it came."""
        by_id = self._by_id.get(new.conversation.conversation_id)
        return by_id or self._by_name.get(new.conversation_hash)

    def was_deleted(self, new: NewConversation) -> bool:
        """Return whether retention deleted the row with a record's id."""
        return new.conversation_hash in self._deleted

    def has_id(self, conversation_id: str) -> bool:
        """Return whether a row has this id, which is derived from one that ``read`` looked up."""
        if conversation_id not in self._by_id:
            id_ = conversations.c.conversation_id
            for row in self._connection.execute(select(*_ROW).where(id_ == conversation_id)):
                self._by_id[conversation_id] = self._row(row)
        return conversation_id in self._by_id

    def longest_first(self, new: NewConversation) -> Iterator[tuple[int, list[KnownTurn]]]:
        """Yield the turns of a record that are known, by index, the last one first, with the known turns.

        These are of the record's user, its session or nobody; where there are none, the newest, whoever's it is.
        """
        by_owned = self._by_owned
        owned_by = owners(new.user_hash, new.session_hash)
        known = [index for index, turn in enumerate(new.turns) if turn.digest in self._newest]
        for index in reversed(known):
            digest = new.turns[index].digest
            found = [
                turn
                for owner in owned_by
                if (digest ^ owner) in by_owned
                for turn in by_owned[digest ^ owner]
            ]
            if found:
                yield index, found
            elif (newest := self._newest[digest]) is not None:
                yield index, [newest]

    def of_session(self, session_hash: str) -> KnownRow | None:
        """Return the newest row of a session of the batch."""
        return self._sessions.get(session_hash)

    def of_thread(self, thread: Thread) -> list[KnownTurn]:
        """Return all turns of a conversation, oldest first."""
        if thread not in self._of_thread:
            stored: list[KnownTurn] = []
            if thread.seq:
                same = (conversations.c.thread == thread.seq) | (conversations.c.seq == thread.seq)
                query = _turns_where(same).order_by(turns.c.seq, turns.c.turn)
                stored = [self._turn(row) for row in self._connection.execute(query)]
            added = {
                turn: None for several in self._by_owned.values() for turn in several if not turn.row.seq
            }
            self._of_thread[thread] = stored + [turn for turn in added if turn.row.thread is thread]
        return self._of_thread[thread]

    def add(self, row: KnownRow, added: Iterable[KnownTurn]) -> None:
        """Remember a row with its turns."""
        if row.conversation_id is not None:
            self._by_id[row.conversation_id] = row
        if row.session_hash is not None:
            self._sessions[row.session_hash] = row
        owner = owner_of(row.user_hash, row.session_hash)
        for turn in added:
            self._by_owned[turn.digest ^ owner].append(turn)
            self._newest[turn.digest] = turn
            if row.thread in self._of_thread:
                self._of_thread[row.thread].append(turn)

    def name(self, new: NewConversation, row: KnownRow) -> None:
        """Remember that a record's id stands for a row."""
        self._by_name[new.conversation_hash] = row

    def _read_ids(self, batch: Sequence[NewConversation]) -> None:
        connection, column = self._connection, conversations.c
        ids = {new.conversation.conversation_id for new in batch}
        for row in connection.execute(
            select(*_ROW).where(in_values(connection, column.conversation_id, ids))
        ):
            self._by_id[row.conversation_id] = self._row(row)
        hashes = {new.conversation_hash for new in batch}
        named = in_values(connection, other_names.c.conversation_hash, hashes)
        joined = other_names.outerjoin(conversations, column.seq == other_names.c.seq)
        names = (other_names.c.conversation_hash.label("name"), other_names.c.seq.label("of"))
        for named_row in connection.execute(select(*names, *_ROW).select_from(joined).where(named)):
            stored = named_row.seq is not None
            known = (
                self._row(named_row) if stored else KnownRow(self._thread(named_row.of), False, named_row.of)
            )
            self._by_name[named_row.name] = known
        hash_ = past_conversations.c.conversation_hash
        self._deleted = frozenset(
            connection.scalars(select(hash_).where(in_values(connection, hash_, hashes)))
        )

    def _read_sessions(self, hashes: Collection[str]) -> None:
        if not hashes:
            return
        newest = newest_in_sessions(self._connection, hashes)
        for row in self._connection.execute(select(*_ROW).where(newest)):
            self._sessions[row.session_hash] = self._row(row)

    def _read_turns(self, batch: Sequence[NewConversation]) -> None:
        """Find the turns of a batch that rows hold. Most records bring new ones only, which one look-up tells."""
        connection, column = self._connection, turns.c
        sent = in_values(connection, column.digest, {turn.digest for new in batch for turn in new.turns})
        known = set(connection.scalars(select(column.digest).where(sent).distinct()))
        if not known:
            return
        self._newest.update(dict.fromkeys(known))
        pairs = {
            (turn.digest, turn.digest ^ owner)
            for new in batch
            for turn in new.turns
            if turn.digest in known
            for owner in owners(new.user_hash, new.session_hash)
        }
        same = in_pairs(connection, (column.digest, column.owned), pairs)
        for row in connection.execute(_turns_where(same)):
            self._by_owned[row.owned].append(self._turn(row))
        self._read_newest(
            known.intersection(turn.digest for new in batch for turn in new.turns[answered(new.turns) :])
        )

    def _read_newest(self, digests: Iterable[int]) -> None:
        """Find the newest row that holds each of these turns, of those of users and sessions."""
        same = in_values(self._connection, turns.c.digest, digests) & (turns.c.owned != turns.c.digest)
        columns = (turns.c.digest.label("digest"), func.max(turns.c.seq).label("seq"))
        newest = select(*columns).where(same).group_by(turns.c.digest).subquery()
        holds = (turns.c.digest == newest.c.digest) & (turns.c.seq == newest.c.seq)
        for row in self._connection.execute(_turns_where(holds, newest)):
            self._newest[row.digest] = self._turn(row)

    def _read_unindexed(self) -> None:
        """Read the turns of rows with a known id that an earlier release stored, without digests."""
        rows = {row.seq: row for row in self._by_id.values()}
        if not rows:
            return
        indexed = set(
            self._connection.scalars(
                select(turns.c.seq).where(in_values(self._connection, turns.c.seq, rows))
            )
        )
        columns = (conversations.c.seq, conversations.c.messages)
        query = select(*columns).where(
            in_values(self._connection, conversations.c.seq, rows.keys() - indexed)
        )
        for seq, documents in self._connection.execute(query):
            found = turns_of(messages_from(documents))
            known = (
                KnownTurn(rows[seq], number, turn.digest, turn.exchange, None, number == len(found))
                for number, turn in enumerate(found, start=1)
            )
            self.add(rows[seq], known)

    def _turn(self, row: Any) -> KnownTurn:
        if row.seq is None:
            known = self._rows.setdefault(row.of, KnownRow(self._thread(row.of), row.of_held_out, row.of))
        else:
            known = self._row(row)
        return KnownTurn(known, row.turn, row.digest, row.exchange, row.request, row.claimed)

    def _row(self, row: Any) -> KnownRow:
        if row.seq not in self._rows:
            self._rows[row.seq] = KnownRow(
                thread=self._thread(row.thread or row.seq),
                held_out=row.held_out,
                seq=row.seq,
                conversation_id=row.conversation_id,
                user_hash=row.user_hash,
                session_hash=row.session_hash,
                group=row.group_key,
                record_sha256=row.record_sha256,
                at=row.at,
            )
        return self._rows[row.seq]

    def _thread(self, seq: int) -> Thread:
        return self._threads.setdefault(seq, Thread(seq))


_column = conversations.c
_ROW = (
    _column.seq,
    _column.conversation_id,
    _column.user_hash,
    _column.session_hash,
    _column.group_key,
    _column.held_out,
    _column.record_sha256,
    _column.at,
    _column.thread,
)
_TURN = (
    turns.c.seq.label("of"),
    turns.c.held_out.label("of_held_out"),
    turns.c.turn,
    turns.c.owned,
    turns.c.digest,
    turns.c.exchange,
    turns.c.request,
    turns.c.claimed,
)


def newest_in_sessions(
    connection: Connection, hashes: Iterable[str], *, answered: bool = False
) -> ColumnElement[bool]:
    """Return the condition that a row is the newest of one of these sessions, or the newest one with an answer."""
    same = in_values(connection, _column.session_hash, hashes)
    if answered:
        same &= func.coalesce(_column.answers, 1) > 0
    return _column.seq.in_(select(func.max(_column.seq)).where(same).group_by(_column.session_hash))


def _turns_where(condition: ColumnElement[bool], *also_from: FromClause) -> Select[*tuple[Any, ...]]:
    """Return a query of turns with their rows; the columns of a row that retention deleted are empty."""
    joined = turns.outerjoin(conversations, conversations.c.seq == turns.c.seq)
    return select(*_TURN, *_ROW).select_from(joined, *also_from).where(condition)
