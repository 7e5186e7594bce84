"""Lines of a training file that imitate: each turn is a target once, after exactly what the model was given before it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from daemon.domain.conversation import JSON, Message
from daemon.domain.lessons import LessonKind, Teaching, answer_indexes
from daemon.domain.message_json import message_documents
from daemon.domain.records import PastMessage, StoredConversation


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
    kind: str = LessonKind.DEMONSTRATION  # of its lessons; replay: of any
    weight: float = 1.0

    @property
    def teaching(self) -> Teaching:
        """What is learned about its answers."""
        return "imitate"

    @property
    def seq(self) -> int:
        """The seq of its last row."""
        return self.last.seq

    @property
    def last(self) -> StoredConversation:
        """Its last row, whose path it holds."""
        return self.rows[-1].conversation

    def encoded(self) -> bytes:
        """Return the line's bytes."""
        last = self.last
        learned = {
            (row.conversation.seq, index)
            for row in self.rows
            for index in answer_indexes(row.conversation.messages)
            if index not in row.unlearned
        }
        messages = [
            past.message if (past.seq, past.index) in learned else unlearned(past.message)
            for past in path_of(last)
        ]
        return training_line(
            last.conversation_id,
            messages,
            self.origin,
            tools=last.tools,
            documents=last.documents,
            weight=self.weight,
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
    lesson: Teaching = "imitate",
    rejected: Message | None = None,
    weight: float = 1.0,
) -> bytes:
    """Return a conversation as one line of a training file; what says nothing is left out."""
    line: dict[str, object] = {"id": id_, "messages": message_documents(messages)}
    if tools:
        line["tools"] = tools
    if documents:
        line["documents"] = documents
    line["origin"] = origin
    if lesson != "imitate":
        line["lesson"] = lesson
    if rejected is not None:
        [line["rejected"]] = message_documents([rejected])
    if weight != 1:
        line["weight"] = weight
    return orjson.dumps(line) + b"\n"


def lines_that_imitate(
    rows: Mapping[int, StoredConversation],
    targets: Mapping[int, Collection[int]],
    *,
    origin: str,
    kind: str,
    weight: float = 1.0,
) -> list[Line]:
    """Return lines that imitate answers of conversations, which come with their histories, in order of seq.

    ``rows`` are by seq; ``targets`` are the indexes of the answers to imitate, by seq. Rows of one conversation whose
    requests were the same but for the turns share a line; each branch has its own.
    """
    left = {seq: set(targets.get(seq, ())) for seq in rows}
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
                others = (index for index in answer_indexes(row.messages) if index not in taken)
                learned.append(LearnedRow(conversation=row, unlearned=tuple(others)))
                left[row.seq] -= taken
        lines.append(Line(origin=origin, rows=tuple(learned), kind=kind, weight=weight))
    return sorted(lines, key=lambda line: line.seq)


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


def unlearned(message: Message) -> Message:
    """Return a turn that is no target."""
    return replace(message, learned=False) if message.role == "assistant" else message
