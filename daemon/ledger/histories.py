"""Puts the history of conversations that grow together again: each row holds only the turns that its record brought."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from daemon.domain.conversation import JSON, Message
from daemon.domain.message_json import messages_from
from daemon.domain.records import PastMessage, StoredConversation
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import FOLLOWS, conversations

#: The most messages of history that are read; the newest are.
_LONGEST = 1_000


def with_histories(connection: Connection, stored: Sequence[StoredConversation]) -> list[StoredConversation]:
    """Return conversations with their histories, in their order, and with the tools and documents of their requests."""
    alone = _without_relatives(connection, [one for one in stored if one.thread])
    threads = {one.thread for one in stored} - alone - {0}
    if not threads:
        return list(stored)
    pasts = _pasts(connection, threads)
    return [_with(one, pasts[one.seq]) if one.seq in pasts else one for one in stored]


@dataclass(frozen=True, slots=True)
class _Row:
    seq: int
    at: datetime
    parent_seq: int | None
    parent_turns: int | None
    messages: tuple[Message, ...]
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Past:
    """What came before a row, and what its request gave the model."""

    history: tuple[PastMessage, ...] = ()
    tools: tuple[Mapping[str, JSON], ...] = ()
    documents: tuple[Mapping[str, JSON], ...] = ()
    gone: bool = False


def _without_relatives(connection: Connection, stored: Sequence[StoredConversation]) -> set[int]:
    """Return the first rows of conversations that have no other row; most have none."""
    roots = {one.thread for one in stored if one.seq == one.thread}
    if not roots:
        return set()
    threads = conversations.c.thread
    grown = connection.scalars(select(threads).where(in_values(connection, threads, roots)).distinct())
    others = {one.thread for one in stored if one.seq != one.thread}
    return roots - set(grown) - others


def _pasts(connection: Connection, threads: Iterable[int]) -> dict[int, _Past]:
    """Return what came before each row of these conversations, by seq."""
    column, listed = conversations.c, list(threads)
    columns = (
        column.seq, column.thread, column.at, column.parent_seq, column.parent_turns, column.messages, column.context
    )  # fmt: skip
    same = in_values(connection, column.thread, listed) | in_values(connection, column.seq, listed)
    families: dict[int, list[_Row]] = {}
    for seq, thread, at, parent, turns, messages, context in connection.execute(
        select(*columns).where(same).order_by(column.seq)
    ):
        row = _Row(seq, at, parent, turns, messages_from(messages), context or {})
        families.setdefault(thread or seq, []).append(row)
    pasts: dict[int, _Past] = {}
    for rows in families.values():
        pasts |= _of_family(rows)
    return pasts


def _of_family(rows: Sequence[_Row]) -> dict[int, _Past]:
    pasts: dict[int, _Past] = {}
    by_seq = {row.seq: row for row in rows}
    before: _Row | None = None
    for row in sorted(
        (row for row in rows if row.parent_turns == FOLLOWS), key=lambda row: (row.at, row.seq)
    ):
        pasts[row.seq] = _own(row, _Past() if before is None else _after(pasts[before.seq], before, None))
        before = row
    for row in rows:  # parents come first
        if row.seq in pasts:
            continue
        if row.parent_seq is None:
            pasts[row.seq] = _own(row, _Past())
        elif (parent := by_seq.get(row.parent_seq)) is None:
            pasts[row.seq] = _own(row, _Past(gone=True))
        else:
            pasts[row.seq] = _own(row, _after(pasts[parent.seq], parent, row.parent_turns))
    return pasts


def _after(past: _Past, row: _Row, turns: int | None) -> _Past:
    """Return the past after the first ``turns`` turns of a row, or after all."""
    added: list[PastMessage] = []
    for index, message in enumerate(row.messages):
        if turns is not None and turns <= 0:
            break
        added.append(PastMessage(message, row.seq, index))
        if turns is not None and message.role != "system":
            turns -= 1
    return replace(past, history=(*past.history, *added)[-_LONGEST:])


def _own(row: _Row, past: _Past) -> _Past:
    """Return a row's past with what its own record says of it."""
    context, history = row.context, past.history
    if "history" in context:
        kept = messages_from(context["history"])
        history = tuple(PastMessage(message, 0, index) for index, message in enumerate(kept))
    if "system" in context and "history" not in context:
        prompt = [Message(role="system", content=text) for text in context["system"]]
        own = tuple(PastMessage(message, 0, index) for index, message in enumerate(prompt))
        history = (*own, *history[_prompt_length(history) :])
    if "window" in context:
        history = _newest_turns(history, context["window"])
    if "tools" in context or "documents" in context:
        past = replace(
            past, tools=tuple(context.get("tools", ())), documents=tuple(context.get("documents", ()))
        )
    return replace(past, history=history)


def _prompt_length(history: Sequence[PastMessage]) -> int:
    roles = (past.message.role for past in history)
    return next((index for index, role in enumerate(roles) if role != "system"), len(history))


def _newest_turns(history: tuple[PastMessage, ...], count: int) -> tuple[PastMessage, ...]:
    """Return the system prompt and the newest ``count`` turns."""
    prompt = _prompt_length(history)
    turns = [index for index, past in enumerate(history) if past.message.role != "system"]
    if count >= len(turns):
        return history
    return (*history[:prompt], *(history[turns[-count] :] if count else ()))


def _with(stored: StoredConversation, past: _Past) -> StoredConversation:
    return replace(
        stored, history=past.history, history_gone=past.gone, tools=past.tools, documents=past.documents
    )
