"""The client of the scorer child. Imports no torch."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from learners.children.rpc_client import Ask, OnProgress, RpcClient
from learners.codec import ANSWERS, CONVERSATIONS, RENDERING, SCORER_STATS, SCORES, SURPRISALS
from learners.types import (
    Answer,
    Conversation,
    Dtype,
    MaxTokens,
    Message,
    Rendering,
    Score,
    ScorerStats,
    Surprisals,
)


class Scorer(Protocol):
    """Scores and generates under the base (adapter None) or a loaded adapter, one call after the other.

    The futures fail with a LearnerError: BadAdapter, NameTaken, UnknownAdapter, BadRequest; ChildDied if no
    answer can come any more.
    """

    def load(self, name: str, path: Path) -> Future[None]:
        """Check and load an adapter. A name always means the same bytes; loading the same again does nothing."""
        ...

    def unload(self, name: str) -> Future[None]: ...

    def score(
        self,
        adapter: str | None,
        conversations: Sequence[Conversation],
        *,
        on_progress: OnProgress | None = None,
    ) -> Future[list[Score]]:
        """Return scores in the order of the conversations. ``on_progress`` is called from another thread."""
        ...

    def surprisals(
        self, adapter: str | None, conversations: Sequence[Conversation]
    ) -> Future[list[Surprisals]]:
        """Return the loss of each assistant token, in the order of the conversations."""
        ...

    def answers(
        self,
        adapter: str | None,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int,
        seconds: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Future[list[Answer]]:
        """Return what comes after each conversation, decoded greedily, in their order.

        Left out are prompts that the template refuses or that do not fit into the context (BadRequest if all are), and
        those that are not answered after ``seconds``: they are taken in the order given, so shuffle them for a fair sample.
        ``on_progress`` is called from another thread.
        """
        ...

    def generate(
        self, adapter: str | None, messages: Sequence[Message], *, max_new_tokens: int = 128
    ) -> Future[str]:
        """Return the assistant's next turn as text, decoded greedily. BadRequest: it does not fit into the context."""
        ...

    def stats(self) -> Future[ScorerStats]: ...


def scorer_process(
    base: Path,
    *,
    device: str = "auto",
    threads: int = 0,
    dtype: Dtype = "auto",
    max_tokens: MaxTokens = 1024,
    rendering: Rendering | None = None,
    log: Path | None = None,
) -> RpcClient[Scorer]:
    """Return a child that holds the base once. Start it, then make its calls.

    ``max_tokens`` and ``rendering`` must be those of the training, for losses to be what training lowers.
    ``log`` is the file for what the child writes on stderr.
    """
    how = RENDERING.dump_json(rendering or Rendering()).decode()
    return RpcClient(
        "learners.scoring.scorer",
        [str(base), device, str(threads), dtype, str(max_tokens), how],
        _ScorerCalls,
        log=log,
    )


class _ScorerCalls:
    """A Scorer that asks the child."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def load(self, name: str, path: Path) -> Future[None]:
        return self._ask(lambda _: None, op="load", name=name, path=str(path.absolute()))

    def unload(self, name: str) -> Future[None]:
        return self._ask(lambda _: None, op="unload", name=name)

    def score(
        self,
        adapter: str | None,
        conversations: Sequence[Conversation],
        *,
        on_progress: OnProgress | None = None,
    ) -> Future[list[Score]]:
        return self._ask(
            SCORES.validate_python,
            on_progress=on_progress,
            op="score",
            adapter=adapter,
            conversations=CONVERSATIONS.dump_python(list(conversations), mode="json", exclude_defaults=True),
        )

    def surprisals(
        self, adapter: str | None, conversations: Sequence[Conversation]
    ) -> Future[list[Surprisals]]:
        return self._ask(
            SURPRISALS.validate_python,
            op="surprisals",
            adapter=adapter,
            conversations=CONVERSATIONS.dump_python(list(conversations), mode="json", exclude_defaults=True),
        )

    def answers(
        self,
        adapter: str | None,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int,
        seconds: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Future[list[Answer]]:
        return self._answers(
            ANSWERS.validate_python,
            adapter,
            conversations,
            max_new_tokens=max_new_tokens,
            seconds=seconds,
            on_progress=on_progress,
        )

    def generate(
        self, adapter: str | None, messages: Sequence[Message], *, max_new_tokens: int = 128
    ) -> Future[str]:
        return self._answers(
            _text_of_one,
            adapter,
            [Conversation(id="prompt", messages=tuple(messages))],
            max_new_tokens=max_new_tokens,
        )

    def stats(self) -> Future[ScorerStats]:
        return self._ask(SCORER_STATS.validate_python, op="stats")

    def _answers(
        self,
        read: Callable[[Any], object],
        adapter: str | None,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int,
        seconds: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Future[Any]:
        return self._ask(
            read,
            on_progress=on_progress,
            op="answers",
            adapter=adapter,
            conversations=CONVERSATIONS.dump_python(list(conversations), mode="json", exclude_defaults=True),
            max_new_tokens=max_new_tokens,
            seconds=seconds,
        )


def _text_of_one(answers: Any) -> str:
    [answer] = ANSWERS.validate_python(answers)
    return answer.text
