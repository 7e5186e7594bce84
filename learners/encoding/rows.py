"""Rows of tokens: answers behind their prompts, as many in one row as have prompts that continue it."""

from collections.abc import Sequence
from dataclasses import dataclass

from learners.encoding.answers import Answer, Span
from learners.encoding.tokens import Continuation, SafeTokenizer, Token


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """A row of token ids. ``targets[i]`` says whether ``ids[i]`` is learned or scored."""

    id: str  # of the conversation
    ids: tuple[int, ...]
    targets: tuple[bool, ...]

    @property
    def target_tokens(self) -> int:
        return sum(self.targets)


class OpenRow:
    """A row that grows by an answer at a time."""

    def __init__(self, safe: SafeTokenizer) -> None:
        self._safe = safe
        self._text = ""  # protected
        self._end: str | None = None  # the control token at its end: what follows is tokenised apart from it
        self._ids: list[int] = []
        self._targets: list[bool] = []
        self.answers = 0

    def __len__(self) -> int:
        return len(self._ids)

    def after(self, prompt: str) -> list[int] | None:
        """Return the tokens that the prompt adds to this row; None if it does not continue it."""
        if not prompt.startswith(self._text):
            return None
        if self._end is not None:
            return self._safe.ids(self._end + prompt[len(self._text) :])[1:]
        ids = self._safe.ids(prompt)
        return ids[len(self._ids) :] if ids[: len(self._ids)] == self._ids else None

    def add(self, prompt: str, added: Sequence[int], answer: Answer, tokens: Continuation) -> None:
        """Add an answer. ``added`` are the tokens of its prompt after those of this row."""
        self._ids += [*added, *(token.id for token in tokens.tokens)]
        self._targets += [False] * len(added)
        self._targets += [not _overlaps(token, answer.unlearned) for token in tokens.tokens]
        self._text = prompt + answer.text
        self._end = None
        if answer.ended and tokens.natural:
            last, _ = self._safe.controls(answer.text)[-1]
            self._end = answer.text[last:]
        self.answers += 1

    def encoded(self, id_: str) -> Encoded:
        return Encoded(id=id_, ids=tuple(self._ids), targets=tuple(self._targets))


def _overlaps(token: Token, spans: Sequence[Span]) -> bool:
    return any(token.start < span.end and token.end > span.start for span in spans)
