"""Turns conversations into token ids and a mask of what the model is to learn: the assistant's turns only."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from learners.errors import BadRequest, UnusableModel
from learners.types import Message

#: Templates that print today's date would make the same request give another artifact tomorrow.
_SAME_DATE = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}"
_PROBE = (Message(role="user", content="Hi"), Message(role="assistant", content="Yes"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """A conversation as the model sees it. ``targets[i]``: is ``ids[i]`` to be learnt or scored?"""

    id: str
    ids: tuple[int, ...]
    targets: tuple[bool, ...]

    @property
    def target_tokens(self) -> int:
        return sum(self.targets)


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A conversation that nothing can be learnt from."""

    id: str
    reason: str  # one of a few fixed sentences, so that they can be counted


class _Rewritten(Exception):
    """The template changes contents in a way that can't be followed."""


class _Token(NamedTuple):
    id: int
    start: int  # in characters of the rendered text
    end: int
    control: bool  # put there by the template, such as <|im_end|>


class _Span(NamedTuple):
    """Where a message's content lies in the rendered text."""

    start: int
    end: int


class ChatEncoder:
    """Encodes with the model's own chat template, exactly as a server renders it.

    Contents are never control tokens: text such as ``<|im_end|>`` within a message is split like any other.
    Raises UnusableModel where there is no template, or one that doesn't end an assistant's turn with a
    special token, without which a model would never learn to stop.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self._special = {id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
        if not tokenizer.chat_template:
            raise UnusableModel("the tokenizer has no chat template; use an instruction-tuned model")
        self._template = _SAME_DATE + tokenizer.get_chat_template()
        try:
            text, spans = self._render(_PROBE)
        except (TemplateError, TypeError, ValueError, _Rewritten) as error:
            raise UnusableModel(
                f"the chat template can't render a question and its answer: {error}"
            ) from error
        tokens = self._tokenise(text, spans)
        last = tokens[_ends(tokens, spans)[-1] - 1]
        if not last.control:
            raise UnusableModel("the chat template doesn't end the assistant's turn with a special token")
        self.end_of_turn = last.id

    def encode(self, id_: str, messages: Sequence[Message], *, max_tokens: int) -> Encoded | Skipped:
        """Ids of the conversation up to its last assistant turn that ends within ``max_tokens``."""
        kept = _up_to_last_answer(messages)
        if not kept:
            return Skipped(id=id_, reason="no assistant turn")
        while kept:
            try:
                text, spans = self._render(kept)
            except TemplateError:
                return Skipped(id=id_, reason="refused by the chat template")
            except _Rewritten:
                return Skipped(id=id_, reason="rewritten by the chat template")
            tokens = self._tokenise(text, spans)
            ends = _ends(tokens, spans)
            if ends[-1] <= max_tokens:
                return _encoded(id_, kept, tokens[: ends[-1]], spans, ends)
            fitting = sum(end <= max_tokens for end in ends)
            kept = _up_to_last_answer(kept[:fitting])
        return Skipped(id=id_, reason="longer than max_tokens")

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Ids of the conversation, followed by what makes the assistant speak next.

        Raises BadRequest where the template refuses it.
        """
        try:
            text, spans = self._render(messages, add_generation_prompt=True)
        except (TemplateError, _Rewritten) as error:
            raise BadRequest(f"the chat template can't render this conversation: {error}") from error
        return [token.id for token in self._tokenise(text, spans)]

    def _render(
        self, messages: Sequence[Message], *, add_generation_prompt: bool = False
    ) -> tuple[str, list[_Span]]:
        """The rendered text and where each content is in it.

        A second rendering, with markers for contents, tells the template's own text from theirs. Some
        templates strip contents; anything beyond that can't be followed.
        """

        def rendered(contents: Sequence[str]) -> str:
            text = self._tokenizer.apply_chat_template(
                [{"role": m.role, "content": c} for m, c in zip(messages, contents, strict=True)],
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                chat_template=self._template,
            )
            if not isinstance(text, str):
                raise _Rewritten("it renders no text")
            return text

        contents = [message.content for message in messages]
        text = rendered(contents)
        markers = [f"\ue000{index}\ue001" for index in range(len(messages))]
        pieces = _split_at(rendered(markers), markers)
        for shown in (contents, [content.strip() for content in contents]):
            if "".join(_interleaved(pieces, shown)) == text:
                return text, _spans(pieces, shown)
        raise _Rewritten("it changes what was said")

    def _tokenise(self, text: str, spans: Sequence[_Span]) -> list[_Token]:
        """Tokens of the text. Control tokens that contents spell out are tokenised again, as plain text."""
        inside = _Inside(spans)
        tokens = [
            _Token(token.id, token.start, token.end, token.id in self._special)
            for token in self._pieces(text, 0, plain=False)
        ]
        if not any(token.control and inside(token.start) for token in tokens):
            return tokens
        safe: list[_Token] = []
        position = 0
        for token in tokens:
            if token.control and not inside(token.start):
                safe += [*self._pieces(text[position : token.start], position, plain=True), token]
                position = token.end
        return safe + self._pieces(text[position:], position, plain=True)

    def _pieces(self, text: str, offset: int, *, plain: bool) -> list[_Token]:
        encoding = self._tokenizer(
            text,
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=plain,
            verbose=False,
        )
        return [
            _Token(id_, start + offset, end + offset, False)
            for id_, (start, end) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True)
        ]


class _Inside:
    """Does a position lie in one of the spans? Asked in rising order of positions."""

    def __init__(self, spans: Sequence[_Span]) -> None:
        self._starts = [span.start for span in spans]
        self._ends = [span.end for span in spans]

    def __call__(self, position: int) -> bool:
        index = bisect_right(self._starts, position) - 1
        return index >= 0 and position < self._ends[index]


def _up_to_last_answer(messages: Sequence[Message]) -> Sequence[Message]:
    """Without the turns that no answer follows."""
    last = max((i for i, message in enumerate(messages) if message.role == "assistant"), default=-1)
    return messages[: last + 1]


def _split_at(text: str, markers: Sequence[str]) -> list[str]:
    """The pieces of text between the markers. Raises _Rewritten unless each marker comes once, in order."""
    pieces = []
    for marker in markers:
        before, found, text = text.partition(marker)
        if not found or marker in text:
            raise _Rewritten("it leaves out, repeats or reorders messages")
        pieces.append(before)
    return [*pieces, text]


def _interleaved(pieces: Sequence[str], contents: Sequence[str]) -> Iterator[str]:
    for piece, content in zip(pieces, contents, strict=False):
        yield piece
        yield content
    yield pieces[-1]


def _spans(pieces: Sequence[str], contents: Sequence[str]) -> list[_Span]:
    spans = []
    position = 0
    for piece, content in zip(pieces, contents, strict=False):
        start = position + len(piece)
        position = start + len(content)
        spans.append(_Span(start, position))
    return spans


def _ends(tokens: Sequence[_Token], spans: Sequence[_Span]) -> list[int]:
    """For each message, how many tokens there are up to its end: its end-of-turn token included, if it has one."""
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
    tokens: Sequence[_Token],
    spans: Sequence[_Span],
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
