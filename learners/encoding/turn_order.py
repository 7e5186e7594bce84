"""Arranges the turns before an answer as the chat template takes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from learners.types import Message

_BETWEEN = "\n\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepts:
    """The orders of turns that a template accepts."""

    system: bool = True  # at the beginning
    late_system: bool = True  # after other turns
    repeats: bool = True  # two turns of one role in a row
    greeting: bool = True  # an assistant's turn first


def arranged(messages: Sequence[Message], accepts: Accepts, *, fold_system: bool) -> list[Message]:
    """Return the turns as the template takes them; what it takes is left as it is.

    System turns that it does not take become a part of the user's next turn, or of the one just before; those at the
    beginning only with ``fold_system``. Turns of one role in a row are joined, a greeting is left out.
    """
    turns = _folded(messages, accepts, fold_system=fold_system)
    if not accepts.greeting:
        turns = _without_greeting(turns)
    return turns if accepts.repeats else _joined(turns)


def _folded(messages: Sequence[Message], accepts: Accepts, *, fold_system: bool) -> list[Message]:
    turns: list[Message] = []
    waiting: list[str] = []  # contents of system turns, for the user's next turn
    for message in messages:
        if message.role == "system":
            late = bool(turns or waiting)
            if accepts.late_system if late else accepts.system or not fold_system:
                turns.append(message)
            else:
                waiting.append(message.content)
        elif message.role == "user":
            if waiting:
                message = replace(message, content=_BETWEEN.join([*waiting, message.content]))
            turns.append(message)
            waiting = []
        else:
            turns = [*_told(turns, waiting), message]
            waiting = []
    return _told(turns, waiting)


def _told(turns: list[Message], waiting: Sequence[str]) -> list[Message]:
    """Add the waiting contents to the user's turn just before, or as one of their own."""
    if not waiting:
        return turns
    if turns and turns[-1].role == "user":
        return [*turns[:-1], replace(turns[-1], content=_BETWEEN.join([turns[-1].content, *waiting]))]
    return [*turns, Message(role="user", content=_BETWEEN.join(waiting))]


def _without_greeting(turns: Sequence[Message]) -> list[Message]:
    first = next((index for index, turn in enumerate(turns) if turn.role == "user"), len(turns))
    return [turn for index, turn in enumerate(turns) if index >= first or turn.role == "system"]


def _joined(turns: Sequence[Message]) -> list[Message]:
    joined: list[Message] = []
    for turn in turns:
        if joined and joined[-1].role == turn.role and _plain(joined[-1]) and _plain(turn):
            before = joined.pop()
            turn = replace(turn, content=_BETWEEN.join([before.content, turn.content]))
        joined.append(turn)
    return joined


def _plain(turn: Message) -> bool:
    return turn.role != "tool" and not turn.tool_calls and turn.reasoning is None
