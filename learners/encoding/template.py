"""Renders conversations with the model's chat template, and locates each message's content in the text."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from learners.errors import LearnerError, UnusableModel
from learners.types import Message

#: Templates that print today's date would make the same request give another artifact tomorrow.
_SAME_DATE = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}"


class TemplateRefused(LearnerError):
    """The template does not accept this kind of conversation, such as one with a system message."""

    reason = "refused by the chat template"


class TemplateAltersText(TemplateRefused):
    """The template alters contents, so they can't be located."""

    reason = "rewritten by the chat template"


class Span(NamedTuple):
    """The position of a message's content in the rendered text."""

    start: int
    end: int


class ChatTemplate:
    """Renders as a server does. Raises UnusableModel if the tokenizer has no template."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        if not tokenizer.chat_template:
            raise UnusableModel("the tokenizer has no chat template; use an instruction-tuned model")
        self._tokenizer = tokenizer
        self._template = _SAME_DATE + tokenizer.get_chat_template()

    def render(
        self, messages: Sequence[Message], *, add_generation_prompt: bool = False
    ) -> tuple[str, list[Span]]:
        """Return the text and the span of each content. Raises TemplateRefused or TemplateAltersText.

        A second rendering, with markers for contents, separates the template's text from contents. Contents may be
        stripped; any other change is refused.
        """
        contents = [message.content for message in messages]
        text = self._rendered(messages, contents, add_generation_prompt)
        markers = [f"\ue000{index}\ue001" for index in range(len(messages))]
        pieces = _split_at(self._rendered(messages, markers, add_generation_prompt), markers)
        for shown in (contents, [content.strip() for content in contents]):
            if "".join(_interleaved(pieces, shown)) == text:
                return text, _spans(pieces, shown)
        raise TemplateAltersText("the chat template changes what was said")

    def _rendered(
        self, messages: Sequence[Message], contents: Sequence[str], add_generation_prompt: bool
    ) -> str:
        try:
            text = self._tokenizer.apply_chat_template(
                [{"role": m.role, "content": c} for m, c in zip(messages, contents, strict=True)],
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                chat_template=self._template,
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise TemplateRefused(f"the chat template can't render this conversation: {error}") from error
        return str(text)


def _split_at(text: str, markers: Sequence[str]) -> list[str]:
    """Return the text between the markers. Raises TemplateAltersText unless each marker comes once, in order."""
    pieces = []
    for marker in markers:
        before, found, text = text.partition(marker)
        if not found or marker in text:
            raise TemplateAltersText("the chat template leaves out, repeats or reorders messages")
        pieces.append(before)
    return [*pieces, text]


def _interleaved(pieces: Sequence[str], contents: Sequence[str]) -> Iterator[str]:
    for piece, content in zip(pieces, contents, strict=False):
        yield piece
        yield content
    yield pieces[-1]


def _spans(pieces: Sequence[str], contents: Sequence[str]) -> list[Span]:
    spans = []
    position = 0
    for piece, content in zip(pieces, contents, strict=False):
        start = position + len(piece)
        position = start + len(content)
        spans.append(Span(start, position))
    return spans
