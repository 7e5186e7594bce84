"""Shortens the turns before an answer, so that both fit into a row."""

from collections.abc import Sequence

from learners.types import Message


def exchanges_to_drop(before: Sequence[Message]) -> int:
    """Return how many exchanges may be dropped: all but the last, which the answer belongs to."""
    return max(0, len(_exchanges(before)) - 1)


def shortened(before: Sequence[Message], dropped: int) -> list[Message]:
    """Return the turns without ``dropped`` exchanges: the oldest after the first one, and the first one at last.

    An exchange is a user's turn and what follows up to the next one. System turns are always kept.
    """
    exchanges = _exchanges(before)
    order = [*range(1, len(exchanges) - 1), 0]
    gone = set(order[:dropped])
    return [
        turn
        for index, exchange in enumerate(exchanges)
        for turn in exchange
        if index not in gone or turn.role == "system"
    ]


def _exchanges(before: Sequence[Message]) -> list[list[Message]]:
    """Split before each user's turn that comes after an answer; what precedes the first belongs to the first."""
    exchanges: list[list[Message]] = [[]]
    asked = answered = False
    for turn in before:
        if turn.role == "user" and asked and answered:
            exchanges.append([])
            answered = False
        asked = asked or turn.role == "user"
        answered = answered or (asked and turn.role == "assistant")
        exchanges[-1].append(turn)
    return exchanges
