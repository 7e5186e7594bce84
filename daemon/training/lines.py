"""Makes the lines of a training file: each turn is a target once, after exactly what the model was given before it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import orjson

from daemon.domain.conversation import JSON, Message
from daemon.domain.message_json import message_documents
from daemon.domain.records import PastMessage, StoredConversation
from daemon.domain.turns import turns_of

Chosen: TypeAlias = tuple[StoredConversation, str]  # a conversation and its origin, new or replay


@dataclass(frozen=True, kw_only=True, slots=True)
class LearnedRow:
    """A row of which a line learns, and which of its answers are no targets there, by their indexes."""

    conversation: StoredConversation
    unlearned: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of a training file: a conversation up to the turns of its last row."""

    origin: str
    rows: tuple[LearnedRow, ...]  # oldest first; the last one says what came before and what the request held

    def encoded(self) -> bytes:
        """Return the line's bytes."""
        last = self.rows[-1].conversation
        learned = {
            (row.conversation.seq, index)
            for row in self.rows
            for index in answers_of(row.conversation)
            if index not in row.unlearned
        }
        messages = [
            past.message if (past.seq, past.index) in learned else _unlearned(past.message)
            for past in path_of(last)
        ]
        return training_line(
            last.conversation_id, messages, self.origin, tools=last.tools, documents=last.documents
        )


def path_of(conversation: StoredConversation) -> tuple[PastMessage, ...]:
    """Return a conversation's history and its own messages."""
    own = (
        PastMessage(message, conversation.seq, index) for index, message in enumerate(conversation.messages)
    )
    return (*conversation.history, *own)


def training_line(
    id_: str,
    messages: Iterable[Message],
    origin: str,
    *,
    tools: Sequence[Mapping[str, JSON]] = (),
    documents: Sequence[Mapping[str, JSON]] = (),
) -> bytes:
    """Return a conversation as one line of a training file."""
    line: dict[str, object] = {"id": id_, "messages": message_documents(messages)}
    if tools:
        line["tools"] = tools
    if documents:
        line["documents"] = documents
    return orjson.dumps(line | {"origin": origin}) + b"\n"


def lines_of(chosen: Iterable[Chosen], *, held_out: Collection[int]) -> list[Line]:
    """Return the lines that learn from conversations, which come with their histories; each origin in order of seq.

    Rows of one conversation whose requests were the same but for the turns share a line; each branch has its own.
    ``held_out`` are the digests of held-out answers with what they answer, which are no targets wherever they are.
    """
    by_origin: dict[str, dict[int, StoredConversation]] = {}
    for conversation, origin in chosen:
        by_origin.setdefault(origin, {})[conversation.seq] = conversation
    return [line for origin, rows in by_origin.items() for line in _lines(rows, origin, frozenset(held_out))]


def _lines(rows: Mapping[int, StoredConversation], origin: str, held_out: frozenset[int]) -> list[Line]:
    left = {seq: _targets(row, held_out) for seq, row in rows.items()}
    lines: list[Line] = []
    # The longest come first, so that a line takes the turns of all rows that it continues.
    for last in sorted(
        rows.values(), key=lambda row: (len(row.history) + len(row.messages), row.seq), reverse=True
    ):
        if not left[last.seq]:
            continue
        learned: list[LearnedRow] = []
        for row, present in _rows_on(last, rows):
            taken = left[row.seq] & present
            if taken or row is last:
                others = (index for index in answers_of(row) if index not in taken)
                learned.append(LearnedRow(conversation=row, unlearned=tuple(others)))
                left[row.seq] -= taken
        lines.append(Line(origin=origin, rows=tuple(learned)))
    return sorted(lines, key=lambda line: line.rows[-1].conversation.seq)


def _rows_on(
    last: StoredConversation, rows: Mapping[int, StoredConversation]
) -> list[tuple[StoredConversation, frozenset[int]]]:
    """Return the rows whose answers the model gave after what comes before them on the path of ``last``, oldest first.

    With each, the indexes of its messages that are on the path.
    """
    path = path_of(last)
    places: dict[int, list[int]] = {}
    for place, past in enumerate(path):
        places.setdefault(past.seq, []).append(place)
    messages = [past.message for past in path]
    found = []
    for seq, where in places.items():
        row = rows.get(seq)
        if row is None or (row.tools, row.documents) != (last.tools, last.documents):
            continue
        before = [past.message for past in row.history]
        if where[0] == len(before) and messages[: len(before)] == before:
            found.append((row, frozenset(path[place].index for place in where)))
    return found


def _targets(conversation: StoredConversation, held_out: frozenset[int]) -> set[int]:
    """Return the indexes of the answers that may be targets."""
    first = len(conversation.history)
    path = [past.message for past in path_of(conversation)]
    refused = {turn.index - first for turn in turns_of(path) if turn.exchange in held_out}
    refused |= {turn.index for turn in turns_of(conversation.messages) if turn.exchange in held_out}
    return set(answers_of(conversation)) - refused


def answers_of(conversation: StoredConversation) -> list[int]:
    """Return the indexes of the answers among a conversation's own messages, but for those that are never learned."""
    return [
        index
        for index, message in enumerate(conversation.messages)
        if message.role == "assistant" and message.learned
    ]


def _unlearned(message: Message) -> Message:
    return replace(message, learned=False) if message.role == "assistant" else message
