"""The promise of who compares two answers."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Literal, Protocol, TypeAlias

from daemon.domain.conversation import Message

#: Which answer is better: the first, the second, or neither.
Preference: TypeAlias = Literal["a", "b", "tie"]


class AnswerJudge(Protocol):
    """Says which of two answers to a prompt is better, without making the loop wait."""

    def compare(self, prompt: Sequence[Message], a: str, b: str) -> "Future[Preference | None]":
        """Return which answer to ``prompt`` is better, whichever comes first; None: it can't say, or the budget is spent.

        The future raises no errors of the endpoint: they are None, too.
        """
        ...
