"""Encodes conversations as token ids, with a mask of the targets: the assistant's turns only."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from learners.encoding.template import ChatTemplate, Span, TemplateRefused
from learners.encoding.tokens import SafeTokenizer, Token
from learners.errors import BadRequest, UnusableModel
from learners.types import Message

_PROBE = (Message(role="user", content="Hi"), Message(role="assistant", content="Yes"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """A conversation as token ids. ``targets[i]`` says whether ``ids[i]`` is learned or scored."""

    id: str
    ids: tuple[int, ...]
    targets: tuple[bool, ...]

    @property
    def target_tokens(self) -> int:
        return sum(self.targets)


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A conversation that holds nothing to learn."""

    id: str
    reason: str  # one of a few fixed sentences, so that they can be counted


class ChatEncoder:
    """Encodes with the model's own chat template, exactly as a server renders it.

    Contents are never control tokens: text such as ``<|im_end|>`` within a message is split like any other.
    Raises UnusableModel if there is no template, or if it does not end the assistant's turn with a special token:
    the model would never learn to stop.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._template = ChatTemplate(tokenizer)
        self._tokenizer = SafeTokenizer(tokenizer)
        try:
            text, spans = self._template.render(_PROBE)
        except TemplateRefused as error:
            raise UnusableModel(f"not even a question and its answer: {error}") from error
        tokens = self._tokenizer.tokens(text, spans)
        last = tokens[_ends(tokens, spans)[-1] - 1]
        if not last.control:
            raise UnusableModel("the chat template doesn't end the assistant's turn with a special token")
        self.end_of_turn = last.id

    def encode(self, id_: str, messages: Sequence[Message], *, max_tokens: int) -> Encoded | Skipped:
        """Return the ids up to the last assistant turn that ends within ``max_tokens``."""
        kept = _up_to_last_answer(messages)
        if not kept:
            return Skipped(id=id_, reason="no assistant turn")
        while kept:
            try:
                text, spans = self._template.render(kept)
            except TemplateRefused as error:
                return Skipped(id=id_, reason=error.reason)
            tokens = self._tokenizer.tokens(text, spans)
            ends = _ends(tokens, spans)
            if ends[-1] <= max_tokens:
                return _encoded(id_, kept, tokens[: ends[-1]], spans, ends)
            fitting = sum(end <= max_tokens for end in ends)
            kept = _up_to_last_answer(kept[:fitting])
        return Skipped(id=id_, reason="longer than max_tokens")

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the ids of the conversation, followed by the generation prompt.

        Raises BadRequest if the template refuses it.
        """
        try:
            text, spans = self._template.render(messages, add_generation_prompt=True)
        except TemplateRefused as error:
            raise BadRequest(str(error)) from error
        return [token.id for token in self._tokenizer.tokens(text, spans)]


def _up_to_last_answer(messages: Sequence[Message]) -> Sequence[Message]:
    """Drop the turns after the last answer."""
    last = max((i for i, message in enumerate(messages) if message.role == "assistant"), default=-1)
    return messages[: last + 1]


def _ends(tokens: Sequence[Token], spans: Sequence[Span]) -> list[int]:
    """Return for each message the number of tokens up to its end, end-of-turn token included."""
    ends = []
    index = 0
    limits = [span.start for span in spans[1:]] + [tokens[-1].end + 1]
    for span, limit in zip(spans, limits, strict=True):
        while index < len(tokens) and tokens[index].start < span.end:
            index += 1
        closing = index
        while closing < len(tokens) and tokens[closing].start < limit and not tokens[closing].control:
            closing += 1
        if closing < len(tokens) and tokens[closing].start < limit:
            index = closing + 1
        ends.append(index)
    return ends


def _encoded(
    id_: str,
    messages: Sequence[Message],
    tokens: Sequence[Token],
    spans: Sequence[Span],
    ends: Sequence[int],
) -> Encoded:
    targets = [False] * len(tokens)
    for message, span, end in zip(messages, spans, ends, strict=True):
        if message.role != "assistant":
            continue
        first = end
        while first and tokens[first - 1].start >= span.start:
            first -= 1
        targets[first:end] = [True] * (end - first)
    return Encoded(id=id_, ids=tuple(token.id for token in tokens), targets=tuple(targets))
