"""Chats as producers log them: whole histories again and again, ids that grow, sliding windows, one record a message."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from daemon.domain.conversation import Conversation, Message
from daemon.domain.holdout import Holdout
from daemon.domain.records import Batch, Coordinates, NewConversation
from daemon.domain.text_digest import text_digest
from daemon.domain.turns import opening, turns_of
from tests.factories.ledger import NOW, TOPIC

Style: TypeAlias = Literal["completions", "growing id", "sliding", "messages"]
Evidence: TypeAlias = Literal["always", "sometimes", "never"]
GREETING = (Message(role="user", content="Hi"), Message(role="assistant", content="Hello! How can I help?"))
HOLDOUT = Holdout(b"0123456789abcdef", share=0.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """One chat: its exchanges, and how its producer logs it."""

    name: str
    exchanges: int
    style: Style = "completions"
    user: Evidence = "never"
    session: Evidence = "never"
    greets: bool = False  # begins as others do
    regenerated: int | None = None  # of this exchange there are two answers
    prompt: str | None = None  # of the system
    window: int = 3  # exchanges of a record that slides

    def turns(self) -> list[Message]:
        """Return its turns, each with a text of its own, but for a greeting."""
        return [*(GREETING if self.greets else ()), *_exchanges(self.name, range(self.exchanges))]


def records_of(chat: Chat, chance: random.Random) -> list[Conversation]:
    """Return the records of a chat, in the order of their times."""
    turns = chat.turns()
    ends = [index + 1 for index, turn in enumerate(turns) if turn.role == "assistant"]
    paths = [turns[:end] for end in ends]
    if chat.style == "messages":
        paths = [[turn] for turn in turns]
    elif chat.style == "sliding":
        paths = [path[-2 * chat.window :] for path in paths]
    elif chat.regenerated is not None:
        paths.append([*paths[chat.regenerated][:-1], _answer(f"{chat.name} again")])
    return [_record(chat, path, number, chance) for number, path in enumerate(paths)]


def _record(chat: Chat, path: Sequence[Message], number: int, chance: random.Random) -> Conversation:
    prompt = () if chat.prompt is None else (Message(role="system", content=chat.prompt),)
    return Conversation(
        conversation_id=chat.name if chat.style == "growing id" else f"{chat.name}-{number}",
        at=NOW + timedelta(minutes=number),
        user_id=f"user of {chat.name}" if _shown(chat.user, chance) else None,
        session_id=f"session of {chat.name}" if _shown(chat.session, chance) else None,
        messages=(*prompt, *path),
    )


def routed(record: Conversation, at: Coordinates, holdout: Holdout = HOLDOUT) -> NewConversation:
    """Return a record as the router passes it on."""
    turns = turns_of(record.messages)
    group = holdout.group(record.user_id, record.session_id or record.conversation_id)
    unit = holdout.unit(record.user_id, record.session_id, opening(record.messages, turns))
    return NewConversation(
        conversation=record,
        at=at,
        user_hash=group if record.user_id else None,
        session_hash=holdout.conversation_hash(record.session_id) if record.session_id else None,
        group=group,
        conversation_hash=holdout.conversation_hash(record.conversation_id),
        held_out=holdout.holds_out(unit),
        turns=turns,
        text_digest=text_digest(record.messages),
        record_sha256=f"{hash(record.conversation_id) & 0xFFFF:064x}",
    )


def batches_of(
    records: Iterable[Conversation],
    *,
    partitions: int,
    chance: random.Random,
    longest: int = 20,
    now: datetime = NOW,
) -> Iterator[Batch]:
    """Yield batches of records as they lie in the partitions, each of some records of one partition."""
    logs: dict[int, list[Conversation]] = {number: [] for number in range(partitions)}
    for record in records:
        logs[chance.randrange(partitions)].append(record)
    read = dict.fromkeys(logs, 0)
    while left := [number for number, log in logs.items() if read[number] < len(log)]:
        number = chance.choice(left)
        first = read[number]
        some = logs[number][first : first + chance.randint(1, longest)]
        read[number] += len(some)
        yield Batch(
            conversations=tuple(
                routed(record, Coordinates(topic=TOPIC, partition=number, offset=first + place))
                for place, record in enumerate(some)
            ),
            next_offsets={(TOPIC, number): read[number]},
            received_at=now,
        )


def _exchanges(name: str, numbers: Iterable[int]) -> Iterator[Message]:
    for number in numbers:
        yield Message(role="user", content=f"{name} asks {number}")
        yield _answer(f"{name} answer {number}")


def _answer(text: str) -> Message:
    return Message(role="assistant", content=text)


def _shown(evidence: Evidence, chance: random.Random) -> bool:
    return evidence == "always" or (evidence == "sometimes" and chance.random() < 0.5)
