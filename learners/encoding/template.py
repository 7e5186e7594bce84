"""Renders turns with the model's chat template, as a server does."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from learners.errors import LearnerError, UnusableModel

#: A message as chat templates take it: ``role``, ``content``, and what else it has.
Turn: TypeAlias = Mapping[str, Any]

#: Templates that print today's date would make the same request give another artifact tomorrow.
_SAME_DATE = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}"
#: What templates raise on turns that they were not written for.
_REFUSALS = (ArithmeticError, AttributeError, LookupError, TemplateError, TypeError, ValueError)


class TemplateRefused(LearnerError):
    """The template does not accept this kind of conversation, such as one with a system message."""

    reason = "refused by the chat template"


class TemplateAltersText(TemplateRefused):
    """The template alters an answer or leaves a part of it out, so it can't be learned as it was."""

    reason = "rewritten by the chat template"


class TemplateLacksTools(TemplateRefused):
    """The template shows no tool calls, or not what tools returned."""

    reason = "the chat template has no tool calls"


class ChatTemplate:
    """The chat template of a tokenizer. Raises UnusableModel if there is none."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        if not tokenizer.chat_template:
            raise UnusableModel("the tokenizer has no chat template; use an instruction-tuned model")
        self._tokenizer = tokenizer
        try:
            self.source = str(tokenizer.get_chat_template())  # for conversations without tools
        except ValueError as error:
            raise UnusableModel(f"none of the tokenizer's chat templates is the default: {error}") from error

    def render(
        self,
        turns: Sequence[Turn],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        documents: Sequence[Mapping[str, Any]] = (),
        generation_prompt: bool = False,
    ) -> str:
        """Return the text of the turns. Raises TemplateRefused.

        ``generation_prompt`` adds what a server puts before the answer that the model is to generate.
        """
        offered: list[Any] | None = [dict(tool) for tool in tools] or None
        try:
            text = self._tokenizer.apply_chat_template(
                [dict(turn) for turn in turns],
                tools=offered,
                documents=[dict(document) for document in documents] or None,
                tokenize=False,
                add_generation_prompt=generation_prompt,
                chat_template=_SAME_DATE + self._tokenizer.get_chat_template(tools=offered),
            )
        except _REFUSALS as error:
            raise TemplateRefused(f"the chat template can't render this conversation: {error}") from error
        return str(text)
