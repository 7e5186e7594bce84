"""Renders prompts as a server does, and what the model had to generate after them."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from transformers import PreTrainedTokenizerFast

from learners.encoding.common_prefix import common_prefix
from learners.encoding.template import ChatTemplate, TemplateAltersText, TemplateRefused
from learners.encoding.tokens import SafeTokenizer
from learners.encoding.traits import TurnEnd, examine
from learners.encoding.turn_order import arranged
from learners.types import Conversation, Message, Rendering, ToolCall

#: Reasoning at the beginning of a content, as servers without a parser for it answer.
_INLINE = re.compile(r"\s*<think>(?P<thought>.+?)</think>\s*(?P<content>.*)\Z", re.DOTALL)


class NothingSaid(TemplateRefused):
    """The answer says nothing that can be learned, such as one that was cut off while the model reasoned."""

    reason = "ended before it said anything"


class Span(NamedTuple):
    """A stretch of a text, in characters."""

    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the model had to generate after a prompt. The text is protected, see SafeTokenizer."""

    text: str
    unlearned: tuple[Span, ...]  # personal-data placeholders, and reasoning that is masked
    ended: bool  # with the token that ends the turn


class AnswerRenderer:
    """Renders conversations with one template, under one setting. Raises UnusableModel, see traits.examine."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, safe: SafeTokenizer, settings: Rendering) -> None:
        self._template = ChatTemplate(tokenizer)
        self._safe = safe
        self._settings = settings
        eos = tokenizer.eos_token
        self.traits = examine(self._template, safe, eos if isinstance(eos, str) else None)
        self._placeholders = re.compile("|".join(map(re.escape, settings.placeholders)) or "(?!)")

    def protected(self, conversation: Conversation) -> Conversation:
        """Return the conversation with all that people and tools wrote protected from becoming control tokens."""
        protect = self._safe.protect
        return replace(
            conversation,
            messages=tuple(
                replace(
                    message,
                    content=self._protected_content(message),
                    reasoning=protect(message.reasoning),
                    name=protect(message.name),
                    tool_calls=tuple(
                        ToolCall(name=protect(call.name), arguments=protect(call.arguments), id=call.id)
                        for call in message.tool_calls
                    ),
                )
                for message in conversation.messages
            ),
            tools=protect(conversation.tools),
            documents=protect(conversation.documents),
        )

    def _protected_content(self, message: Message) -> str:
        if message.role == "assistant":
            return self._safe.protect_answer(message.content)
        return self._safe.protect(message.content)

    def prompt(self, conversation: Conversation, before: Sequence[Message]) -> str:
        """Return what a server sends the model after these turns. Raises TemplateRefused."""
        return self._template.render(
            self._turns(before),
            tools=conversation.tools,
            documents=conversation.documents,
            generation_prompt=True,
        )

    def answer(
        self, conversation: Conversation, before: Sequence[Message], message: Message, *, prompt: str
    ) -> Answer:
        """Return what the model generated as ``message``, after ``prompt``, which is that of the turns before it.

        Raises TemplateRefused, or TemplateAltersText where the template can't show the answer as it was.
        """
        message = self._learnable(message)
        contexts = list(self._contexts(conversation, before))
        error: TemplateRefused = TemplateAltersText("the chat template changes what was said")
        for thought in self._thoughts(message):
            for context in contexts:
                try:
                    if context is contexts[0]:
                        text = self._generated(context, prompt, message, thought)
                    elif self._opening(context) == self._opening(contexts[0]):
                        shorter = self.prompt(context, context.messages)
                        text = self._generated(context, shorter, message, thought)
                    else:
                        continue
                except TemplateRefused as refused:
                    error = refused
                    continue
                if text is not None and _shows(text, message, thought):
                    return self._cut(text, message, thought)
        raise error

    def _learnable(self, message: Message) -> Message:
        """Return what of an answer can be learned, its reasoning apart. Raises NothingSaid."""
        inline = _INLINE.match(message.content)
        if inline and not message.reasoning and self.traits.reasons:
            message = replace(message, reasoning=inline["thought"], content=inline["content"])
        if message.cut_off and message.tool_calls:
            message = replace(message, tool_calls=())  # where they were cut off can't be told
        thinks = message.reasoning and self.traits.reasons and self._settings.reasoning == "include"
        if not (message.content.strip() or message.tool_calls or (thinks and message.cut_off)):
            raise NothingSaid("the answer ended before it said anything")
        return message

    def _turns(self, messages: Sequence[Message]) -> list[dict[str, object]]:
        turns = arranged(messages, self.traits.accepts, fold_system=self._settings.fold_system)
        # Clients don't send back what stands inside of contents, as models that reason there are not to see it again.
        shown = self._settings.reasoning != "strip" and self.traits.form.reasoning != "inline"
        return self.traits.form.turns(turns, reasoning=shown)

    def _thoughts(self, message: Message) -> Iterator[str]:
        """Yield the reasoning to try: as it was, then none, for templates and prompts that leave no place for it."""
        if message.reasoning and self._settings.reasoning != "strip":
            yield message.reasoning.strip()
        yield ""

    def _contexts(self, conversation: Conversation, before: Sequence[Message]) -> Iterator[Conversation]:
        """Yield what to render the answer after.

        It is all that came before it. Some templates render that otherwise once an answer has followed: they move the
        system prompt or the tools, drop reasoning, or join turns. As the answer itself looks the same, less of what
        came before is tried next, down to the last question.
        """
        yield replace(conversation, messages=tuple(before))
        plain = tuple(turn for turn in before if turn.role != "system")
        yield Conversation(id=conversation.id, messages=plain)
        asked = max((index for index, turn in enumerate(plain) if turn.role == "user"), default=0)
        yield Conversation(id=conversation.id, messages=plain[asked:])
        yield Conversation(id=conversation.id, messages=plain[asked : asked + 1])

    def _opening(self, context: Conversation) -> str:
        """Return what the generation prompt adds to the turns, such as the mark of the assistant's turn."""
        turns, tools, documents = self._turns(context.messages), context.tools, context.documents
        plain = self._template.render(turns, tools=tools, documents=documents)
        prompt = self._template.render(turns, tools=tools, documents=documents, generation_prompt=True)
        return prompt[len(common_prefix(plain, prompt)) :]

    def _generated(self, context: Conversation, prompt: str, message: Message, thought: str) -> str | None:
        """Return what follows the prompt of a context once the answer was given; None if that can't be told."""
        turns = [*self._turns(context.messages), self.traits.form.turn(message, reasoning=bool(thought))]
        full = self._template.render(turns, tools=context.tools, documents=context.documents)
        if full.startswith(prompt):
            return self._with_thought(full[len(prompt) :], thought)
        prefill = self.traits.prefill
        start = len(prompt) - len(prefill)
        if not prefill or prompt[start:] != prefill or full[:start] != prompt[:start]:
            return None
        if self.traits.closing:
            return thought + self.traits.closing + full[start:]
        return full[start:]

    def _with_thought(self, text: str, thought: str) -> str:
        """Put reasoning before an answer where the template shows it before tool calls only."""
        if not thought or thought in text or self.traits.thought_frame is None:
            return text
        opening, closing = self.traits.thought_frame
        return f"{opening}{thought}{closing}{text}"

    def _cut(self, text: str, message: Message, thought: str) -> Answer:
        """Cut what the template puts behind the turn, and find what is not learned."""
        unlearned = [Span(*found.span()) for found in self._placeholders.finditer(text)]
        if thought and self._settings.reasoning == "mask":
            start = text.find(thought)
            unlearned.append(Span(start, start + len(thought)))
        if message.cut_off:
            return Answer(text=_said(text, message, thought), unlearned=tuple(unlearned), ended=False)
        end = self._end(message)
        if not end.shown:
            return Answer(text=text + end.text, unlearned=tuple(unlearned), ended=True)
        position = text.rfind(end.text)
        if position < 0:
            raise TemplateAltersText("the chat template doesn't end this answer as others")
        return Answer(text=text[: position + len(end.text)], unlearned=tuple(unlearned), ended=True)

    def _end(self, message: Message) -> TurnEnd:
        if message.tool_calls and self.traits.call_end is not None:
            return self.traits.call_end
        return self.traits.answer_end


def _shows(text: str, message: Message, thought: str) -> bool:
    """Whether the template has printed the whole answer: reasoning, content and calls."""
    if thought not in text or message.content.strip() not in text:
        return False
    calls = Counter(call.name for call in message.tool_calls)
    return all(text.count(name) >= times for name, times in calls.items())


def _said(text: str, message: Message, thought: str) -> str:
    """Return the text up to where the answer was cut off. Raises NothingSaid if there is nothing before."""
    for said in (message.content, message.content.strip()):
        if said.strip() and said in text:
            return text[: text.rfind(said) + len(said)]
    if thought:
        return text[: text.find(thought) + len(thought)]
    raise NothingSaid("the answer was cut off before it said anything")
