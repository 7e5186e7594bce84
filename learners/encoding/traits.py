"""Finds out by trial what a chat template takes, and how the answers that it renders begin and end."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from learners.encoding.common_prefix import common_prefix
from learners.encoding.template import ChatTemplate, TemplateAltersText, TemplateRefused
from learners.encoding.tokens import SafeTokenizer
from learners.encoding.turn_form import ReasoningPlace, TurnForm
from learners.encoding.turn_order import Accepts
from learners.errors import UnusableModel
from learners.types import Message, ToolCall

# Words that no template has. Some templates put a capital or strip; none of them changes digits and small letters.
_QUESTION, _ANSWER, _THOUGHT, _RULE = "q71question", "q72answer", "q73thought", "q74rule"
_CALLED, _VALUE, _RETURNED = "q75called", "q76value", "q77returned"
_ASKS = Message(role="user", content=_QUESTION)
_SAYS = Message(role="assistant", content=_ANSWER)
_CALLS = Message(
    role="assistant",
    content="",
    tool_calls=(ToolCall(name=_CALLED, arguments=f'{{"key": "{_VALUE}"}}', id="call_1"),),
)
_RESULT = Message(role="tool", content=f'{{"key": "{_RETURNED}"}}', tool_call_id="call_1", name=_CALLED)
#: Offered wherever calls are tried: some tokenizers have a template of their own for conversations with tools.
_TOOLS = (
    {
        "type": "function",
        "function": {
            "name": _CALLED,
            "description": "Find",
            "parameters": {
                "type": "object",
                "properties": {"key": {"type": "string", "description": "what to find"}},
                "required": ["key"],
            },
        },
    },
)
#: Fields of a message in which templates look for reasoning.
_FIELDS: list[ReasoningPlace] = ["reasoning_content", "reasoning", "thinking"]
#: A mark at the end of a prompt after which the model thinks, such as "<think>\n" or "[THINK]".
_OPEN = re.compile(r"(?:<\|?(?P<tag>\w*think\w*)\|?>|\[(?P<word>THINK)\])\s*\Z", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnEnd:
    """How the assistant's turn ends."""

    text: str  # up to the end of the control token at which servers stop
    #: Whether the template puts it behind the last turn. Otherwise it is the beginning of the turn after it.
    shown: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """What a chat template takes and how its answers look."""

    form: TurnForm
    accepts: Accepts
    answer_end: TurnEnd
    call_end: TurnEnd | None  # None: it can't render tool calls
    tool_results: bool  # whether it shows them
    #: The end of the prompt that the template leaves out when it renders an answer, such as "<think>\n".
    prefill: str
    #: What stands before and after reasoning, of a template that shows it before tool calls only.
    thought_frame: tuple[str, str] | None
    #: What closes reasoning that the prompt has opened with ``prefill``; "" if it has not.
    closing: str

    @property
    def reasons(self) -> bool:
        """Whether reasoning has a place in what the model generates."""
        return bool(self.closing) or self.form.reasoning != "nowhere"


def examine(template: ChatTemplate, tokenizer: SafeTokenizer, eos: str | None) -> Traits:
    """Return the traits of a template. ``eos`` is the tokenizer's end-of-sequence token.

    Raises UnusableModel for a template that renders not even a question and its answer, or whose answers end without
    a control token: a model would never learn to stop.
    """
    form = _content_form(template)
    places = [*_FIELDS, "inline"] if "</think>" in template.source else _FIELDS
    form = replace(form, reasoning=_reasoning_place(template, form, _SAYS, _ANSWER, places))
    ends = _Ends(template, tokenizer, eos)
    answer_end = ends.of(form, [_ASKS, _SAYS], [_ASKS], _ANSWER)
    if answer_end is None:
        raise UnusableModel("the chat template doesn't end the assistant's turn with a special token")
    call_end = frame = None
    if (calling := _call_form(template, form)) is not None:
        form, frame = _with_thought_frame(template, calling)
        call_end = ends.of(form, [_ASKS, _CALLS], [_RESULT], _VALUE)
    prefill = _prefill(template, form)
    return Traits(
        form=form,
        accepts=_accepted(template, form),
        answer_end=answer_end,
        call_end=call_end,
        tool_results=_shows(
            template, form.turns([_ASKS, _CALLS, _RESULT]), [_RETURNED], generation_prompt=True
        ),
        prefill=prefill,
        thought_frame=frame,
        closing=_closing(prefill),
    )


def _content_form(template: ChatTemplate) -> TurnForm:
    """Find out whether contents are texts or lists of parts. Raises UnusableModel if the template takes neither."""
    error: TemplateRefused = TemplateAltersText("the chat template leaves out what was said")
    for form in (TurnForm(), TurnForm(in_parts=True)):
        try:
            text = template.render(form.turns([_ASKS, _SAYS]))
        except TemplateRefused as refused:
            error = refused
            continue
        if _QUESTION in text and _ANSWER in text:
            return form
    raise UnusableModel(f"not even a question and its answer: {error}") from error


def _call_form(template: ChatTemplate, form: TurnForm) -> TurnForm | None:
    """Find the form in which the template shows calls; None: it shows them in none."""
    for short_ids, in_text in product((False, True), repeat=2):
        tried = replace(form, arguments="text" if in_text else "object", short_ids=short_ids)
        turns = tried.turns([_ASKS, _CALLS, _RESULT])
        if all(_shows(template, shown, [_VALUE], tools=_TOOLS) for shown in (turns[:2], turns)):
            return tried
    return None


def _reasoning_place(
    template: ChatTemplate, form: TurnForm, answer: Message, word: str, places: Sequence[ReasoningPlace]
) -> ReasoningPlace:
    """Find where the template takes the reasoning of an answer that holds this word."""
    thinking = replace(answer, reasoning=_THOUGHT)
    for place in places:
        tried = replace(form, reasoning=place)
        if _shows(template, tried.turns([_ASKS, thinking]), [_THOUGHT, word], tools=_tools(answer)):
            return place
    return "nowhere"


def _with_thought_frame(template: ChatTemplate, form: TurnForm) -> tuple[TurnForm, tuple[str, str] | None]:
    """Find where the template takes reasoning before tool calls, if it shows none before plain answers."""
    if form.reasoning != "nowhere":
        return form, None
    place = _reasoning_place(template, form, _CALLS, _VALUE, _FIELDS)
    if place == "nowhere":
        return form, None
    form = replace(form, reasoning=place)
    prompt = template.render(form.turns([_ASKS]), tools=_TOOLS, generation_prompt=True)
    thinking = template.render(form.turns([_ASKS, replace(_CALLS, reasoning=_THOUGHT)]), tools=_TOOLS)
    calling = template.render(form.turns([_ASKS, _CALLS]), tools=_TOOLS)
    added = thinking[len(prompt) : len(thinking) - len(calling) + len(prompt)]
    if prompt + added + calling[len(prompt) :] != thinking or _THOUGHT not in added:
        return form, None
    opening, _, closing = added.partition(_THOUGHT)
    return form, (opening, closing)


def _accepted(template: ChatTemplate, form: TurnForm) -> Accepts:
    rule = Message(role="system", content=_RULE)

    def takes(*messages: Message) -> bool:
        return _shows(template, form.turns(messages), (), generation_prompt=True)

    return Accepts(
        system=takes(rule, _ASKS),
        late_system=_shows(
            template, form.turns([_ASKS, _SAYS, rule, _ASKS]), [_RULE], generation_prompt=True
        ),
        repeats=takes(_ASKS, _ASKS),
        greeting=takes(_SAYS, _ASKS),
    )


def _shows(
    template: ChatTemplate,
    turns: Sequence[dict[str, object]],
    words: Sequence[str],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    generation_prompt: bool = False,
) -> bool:
    """Whether the template takes the turns and prints all of the words."""
    try:
        text = template.render(turns, tools=tools, generation_prompt=generation_prompt)
    except TemplateRefused:
        return False
    return all(word in text for word in words)


def _tools(*messages: Message) -> Sequence[Mapping[str, Any]]:
    return _TOOLS if any(message.tool_calls for message in messages) else ()


def _prefill(template: ChatTemplate, form: TurnForm) -> str:
    prompt = template.render(form.turns([_ASKS]), generation_prompt=True)
    full = template.render(form.turns([_ASKS, _SAYS]))
    return prompt[len(common_prefix(prompt, full)) :]


def _closing(prefill: str) -> str:
    found = _OPEN.search(prefill)
    if found is None:
        return ""
    if found["word"]:
        return f"[/{found['word']}]"
    return f"\n</{found['tag']}>\n\n"


@dataclass(frozen=True, slots=True)
class _Ends:
    """Finds the ends of turns."""

    template: ChatTemplate
    tokenizer: SafeTokenizer
    eos: str | None

    def of(
        self, form: TurnForm, messages: Sequence[Message], after: Sequence[Message], last_word: str
    ) -> TurnEnd | None:
        """Return how the last of the messages ends. ``after`` are turns that may follow it.

        It is what the turn has in common with the same turn further up, up to its last control token. A template that
        ends the newest turn with another token than earlier ones has none there: then it is the newest turn's. One
        that puts nothing behind the newest turn leaves it to the turn after it.
        """
        last = self._behind(form, messages, last_word)
        earlier = self._behind(form, [*messages, *after], last_word)
        common = common_prefix(last, earlier)
        own = self.tokenizer.controls(last)
        shared = [span for span in own if span[1] <= len(common)]
        if shared or own:
            start, end = self._eos(last, shared) or (shared[-1] if shared else self._eos(last, own) or own[0])
            return TurnEnd(text=last[start:end], shown=True)
        following = self.tokenizer.controls(earlier)
        if not following or earlier[len(common) : following[0][0]].strip():
            return None
        return TurnEnd(text=earlier[len(last) : following[0][1]], shown=False)

    def _behind(self, form: TurnForm, messages: Sequence[Message], word: str) -> str:
        try:
            text = self.template.render(form.turns(messages), tools=_tools(*messages))
        except TemplateRefused:
            return ""
        return text[text.rfind(word) + len(word) :] if word in text else ""

    def _eos(self, text: str, spans: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
        return next((span for span in spans if text[slice(*span)] == self.eos), None)
