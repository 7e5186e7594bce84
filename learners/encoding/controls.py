"""Finds the control tokens of a tokenizer: what a chat template writes and people who write to the model must not."""

import re
from collections.abc import Iterator
from contextlib import suppress

from transformers import PreTrainedTokenizerFast

from learners.encoding.template import ChatTemplate, TemplateRefused

#: Marks of reasoning and tool calls. Servers without a parser for them leave them in the answer.
_GENERATED = re.compile(r"think|tool[_▁ ]?(?:call|sep)|arg_(?:key|value)", re.IGNORECASE)


def control_tokens(tokenizer: PreTrainedTokenizerFast) -> dict[int, str]:
    """Return the texts of special tokens by id, and of other added tokens that the chat template writes.

    Some tokenizers do not mark the tokens of their template as special, such as DeepSeek's ``<｜User｜>``. Raises
    UnusableModel if there is no template.
    """
    written = "\0".join(_written(tokenizer))
    listed = getattr(tokenizer, "chat_control_tokens", None) or ()
    return {
        id_: token.content
        for id_, token in tokenizer.added_tokens_decoder.items()
        if token.special or token.content in listed or (_is_mark(token.content) and token.content in written)
    }


def generated_marks(tokenizer: PreTrainedTokenizerFast) -> set[str]:
    """Return the control tokens that an answer's text may hold because the model generated them."""
    added = tokenizer.added_tokens_decoder.values()
    return {token.content for token in added if not token.special and _GENERATED.search(token.content)}


def _is_mark(content: str) -> bool:
    """Whether it is neither white space nor a word, which templates write as text."""
    return bool(content.strip()) and not content.strip().isalnum()


def _written(tokenizer: PreTrainedTokenizerFast) -> Iterator[str]:
    """Yield what the templates write: their sources, and a chat, for tokens that they put together from roles."""
    template = ChatTemplate(tokenizer)
    sources = tokenizer.chat_template
    yield from sources.values() if isinstance(sources, dict) else [template.source]
    asks, says = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
    for turns in ([{"role": "system", "content": "s"}, asks], [asks, says, asks]):
        with suppress(TemplateRefused):
            yield template.render(turns, generation_prompt=True)
