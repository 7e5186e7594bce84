"""Every chat template of TRL's and mistral-common's wheels, against what a server renders, found by brute force.

The oracle renders each prompt anew with ``apply_chat_template``. The target is what the whole text has after it, up to
the end that tests/support/chat_templates.py writes down for each family; where a template renders an answer in history
other than the model generates it, ``generated`` says by hand what that is.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import pytest
from transformers import PreTrainedTokenizerFast

from learners.encoding.chat import ChatEncoder
from learners.encoding.rows import Encoded
from learners.types import Conversation, Message, Rendering, ToolCall
from tests.support.chat_templates import FOLDER, family, names, tokenizer

Turn = dict[str, Any]

TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "track",
            "description": "Find a parcel",
            "parameters": {
                "type": "object",
                "properties": {"parcel": {"type": "string", "description": "its number"}},
                "required": ["parcel"],
            },
        },
    },
)
RULE: Turn = {"role": "system", "content": "You help customers."}
ASKS: Turn = {"role": "user", "content": "Where is my parcel?"}
SAYS: Turn = {"role": "assistant", "content": "It is here."}
ASKS_AGAIN: Turn = {"role": "user", "content": "And the other one?"}
SAYS_AGAIN: Turn = {"role": "assistant", "content": "Yes, it comes to you."}
THINKS: Turn = {**SAYS, "reasoning_content": "Here it lies."}
THINKS_AGAIN: Turn = {**SAYS_AGAIN, "reasoning_content": "There are two of them."}
CALLS: Turn = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "call00001",
            "type": "function",
            "function": {"name": "track", "arguments": {"parcel": "P7"}},
        }
    ],
}
RETURNS: Turn = {
    "role": "tool",
    "content": "It arrives tomorrow.",
    "tool_call_id": "call00001",
    "name": "track",
}
CASES: dict[str, list[Turn]] = {
    "one turn": [ASKS, SAYS],
    "several turns": [ASKS, SAYS, ASKS_AGAIN, SAYS_AGAIN],
    "system prompt": [RULE, ASKS, SAYS, ASKS_AGAIN, SAYS_AGAIN],
    "greeting": [{"role": "assistant", "content": "Welcome!"}, ASKS, SAYS],
    "reasoning": [ASKS, THINKS, ASKS_AGAIN, THINKS_AGAIN],
    "tools": [ASKS, CALLS, RETURNS, SAYS, ASKS_AGAIN, SAYS_AGAIN],
    "tools and reasoning": [
        RULE,
        ASKS,
        {**CALLS, "reasoning_content": "I must look."},
        RETURNS,
        THINKS,
    ],
}
#: Templates that show no tool calls.
NO_CALLS = (
    "cohere", "deepseek_r1", "gemma.", "gemma_", "gemma3", "idefics3", "lfm2.", "lfm2_training", "llama2", "llama3.",
    "llama3_training", "llava", "mistral_7b", "mistral_v1_", "mixtral", "openchat", "phi3", "qwen2_5_vl", "smolvlm",
    "vicuna", "zephyr",
)  # fmt: skip
#: Templates that leave out what tools return, or refuse it.
NO_RESULTS = (
    "cohere", "gemma.", "gemma_", "gemma3", "llama2", "llava", "mistral_7b", "mistral_v1_", "mixtral", "phi3", "vicuna",
)  # fmt: skip
#: What mistral-common's own tokenizers make of some of the cases; ``make_expected.py`` beside it wrote it.
EXPECTED = json.loads((FOLDER / "mistral_common" / "expected.json").read_text("utf-8"))


def model(name: str) -> str:
    return name.rpartition("/")[2] + "."


def turn_for(name: str, turn: Turn) -> Turn:
    """The turn as this template's servers pass it on."""
    if model(name).startswith(("idefics3", "llava", "smolvlm")):
        return {**turn, "content": [{"type": "text", "text": turn["content"]}]}
    if model(name).startswith("deepseekv3.") and "tool_calls" in turn:
        function = turn["tool_calls"][0]["function"]
        called = {**function, "arguments": json.dumps(function["arguments"])}
        return {**turn, "tool_calls": [{**turn["tool_calls"][0], "function": called}]}
    return turn


@cache
def made(name: str) -> tuple[PreTrainedTokenizerFast, ChatEncoder]:
    of = tokenizer(name)
    return of, ChatEncoder(of)


def rendered(name: str, turns: Sequence[Turn], *, tools: bool, prompt: bool) -> str:
    """As a server renders it. The date is a fixed one."""
    of, _ = made(name)
    dated = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}" + str(of.chat_template)
    return str(
        of.apply_chat_template(
            [turn_for(name, turn) for turn in turns],
            tools=list(TOOLS) if tools else None,
            tokenize=False,
            add_generation_prompt=prompt,
            chat_template=dated,
        )
    )


def served(name: str, turns: Sequence[Turn], *, tools: bool) -> str:
    """The prompt that a server sends after these turns. Where it refuses them, a client must arrange them."""
    try:
        return rendered(name, turns, tools=tools, prompt=True)
    except Exception:  # noqa: BLE001 - whatever a template raises is its refusal
        rule, *rest = turns
        if rule["role"] == "assistant":
            return rendered(name, rest, tools=tools, prompt=True)
        folded = {**rest[0], "content": f"{rule['content']}\n\n{rest[0]['content']}"}
        return rendered(name, [folded, *rest[1:]], tools=tools, prompt=True)


def generated(name: str, before: Sequence[Turn], answer: Turn, *, tools: bool) -> str:
    """What the model generated after the prompt, up to the token that ends its turn."""
    prompt = served(name, before, tools=tools)
    thought = answer.get("reasoning_content", "")
    said = "P7" if "tool_calls" in answer else answer["content"]
    text = following(name, before, answer, prompt, tools=tools)
    if thought and thought not in text:
        calm = {key: value for key, value in answer.items() if key != "reasoning_content"}
        text = following(name, before, calm, prompt, tools=tools)
        if model(name).startswith(("gemma4.", "gemma4_v3", "gemma4_v4")):
            text = f"<|channel>thought\n{thought}\n<channel|>{text}"
    of = family(name)
    end = (of.call_end or of.end) if "tool_calls" in answer else of.end
    after = text.rindex(said) + len(said)
    return text[: text.index(end, after) + len(end)] if end in text[after:] else text + end


def following(name: str, before: Sequence[Turn], answer: Turn, prompt: str, *, tools: bool) -> str:
    """What the whole text has after the prompt, or by hand where the template renders the answer otherwise."""
    thought = answer.get("reasoning_content", "")
    if model(name).startswith("deepseek_r1_distill_training") and thought:
        answer = {**answer, "content": f"<think>\n{thought}\n</think>\n\n{answer['content']}"}
    try:
        whole = rendered(name, [*before, answer], tools=tools, prompt=False)
    except Exception:  # noqa: BLE001 - whatever a template raises is its refusal
        whole = rendered(name, [ASKS, answer], tools=False, prompt=False)
        prompt = rendered(name, [ASKS], tools=False, prompt=True)
    if whole.startswith(prompt):
        return whole[len(prompt) :]
    if model(name).startswith("deepseek") and prompt.endswith("<think>\n"):
        return f"{thought}\n</think>\n\n{whole.rpartition('<｜Assistant｜>')[2]}"
    if model(name).startswith("nemotron") and prompt.endswith("<think>\n"):
        return "</think>" + whole.rpartition("<think></think>")[2]
    if model(name).startswith("gptoss"):
        analysis = f"<|channel|>analysis<|message|>{thought}<|end|><|start|>assistant" if thought else ""
        return f"{analysis}<|channel|>final<|message|>{answer['content']}<|return|>"
    if model(name).startswith("mistral_7b"):
        return f" {answer['content']}</s>"
    assert thought, (prompt, whole)
    return ""


def conversation(turns: Sequence[Turn], *, tools: bool) -> Conversation:
    return Conversation(
        id="c1", messages=tuple(message(turn) for turn in turns), tools=TOOLS if tools else ()
    )


def message(turn: Mapping[str, Any]) -> Message:
    calls = tuple(
        ToolCall(
            id=call["id"],
            name=call["function"]["name"],
            arguments=json.dumps(call["function"]["arguments"]),
        )
        for call in turn.get("tool_calls", ())
    )
    return Message(
        role=turn["role"],
        content=turn["content"],
        reasoning=turn.get("reasoning_content"),
        tool_calls=calls,
        tool_call_id=turn.get("tool_call_id"),
        name=turn.get("name"),
    )


class Learned(NamedTuple):
    """An answer in a row: the ids before it, and its text."""

    prompt: list[int]
    ids: list[int]
    text: str


def learned(name: str, rows: Sequence[Encoded]) -> Iterator[Learned]:
    of, _ = made(name)
    for row in rows:
        targets = [*row.targets, False]
        start = 0
        for position, target in enumerate(targets):
            if target and not (position and targets[position - 1]):
                start = position
            if not target and position and targets[position - 1]:
                ids = list(row.ids[start:position])
                yield Learned(list(row.ids[:start]), ids, str(of.decode(ids)))


def learnable(name: str, turns: Sequence[Turn]) -> list[int]:
    """The answers that this template can show, by hand."""
    answers = []
    for index, turn in enumerate(turns):
        if turn["role"] != "assistant" or not any(t["role"] == "user" for t in turns[:index]):
            continue
        if "tool_calls" in turn and model(name).startswith(NO_CALLS):
            continue
        if any(t["role"] == "tool" for t in turns[:index]) and model(name).startswith(NO_RESULTS):
            continue
        answers.append(index)
    return answers


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", names())
def test_prompts_are_the_servers_and_targets_all_that_they_leave_to_the_model(name: str, case: str) -> None:
    turns = CASES[case]
    tools = any(turn["role"] == "tool" for turn in turns)
    of, encoder = made(name)

    result = encoder.encode(conversation(turns, tools=tools), max_tokens=10_000)

    answers = learnable(name, turns)
    prompts = [served(name, turns[:index], tools=tools) for index in answers]
    texts = [generated(name, turns[:index], turns[index], tools=tools) for index in answers]
    found = list(learned(name, result.rows))
    assert [one.text for one in found] == texts
    ids = [list(of(prompt, add_special_tokens=False)["input_ids"]) for prompt in prompts]
    assert [one.prompt for one in found] == ids
    continued = sum(
        after[: len(one.prompt) + len(one.ids)] == one.prompt + one.ids
        for one, after in zip(found, ids[1:], strict=False)
    )
    assert len(result.rows) == len(answers) - continued  # a row for each prompt that does not continue one


@pytest.mark.parametrize(("name", "case"), [(name, case) for name in EXPECTED for case in EXPECTED[name]])
def test_prompts_are_those_of_mistral_commons_own_tokenizers(name: str, case: str) -> None:
    of, encoder = made(f"mistral_common/{name}")

    result = encoder.encode(conversation(CASES[case], tools=case == "tools"), max_tokens=10_000)

    prompts = [str(of.decode(one.prompt)) for one in learned(f"mistral_common/{name}", result.rows)]
    assert prompts == EXPECTED[name][case]


@pytest.mark.parametrize("name", names())
def test_answers_that_the_template_cannot_show_are_counted(name: str) -> None:
    turns = CASES["tools"]
    _, encoder = made(name)

    left_out = encoder.encode(conversation(turns, tools=True), max_tokens=10_000).left_out

    missing = 3 - len(learnable(name, turns))
    assert left_out == ({"the chat template has no tool calls": missing} if missing else {})


@pytest.mark.parametrize("name", names())
def test_masked_reasoning_is_shown_and_stripped_reasoning_is_not(name: str) -> None:
    turns = CASES["reasoning"]
    of, included = made(name)
    everything = included.encode(conversation(turns, tools=False), max_tokens=10_000).rows
    shown = any(THINKS["reasoning_content"] in of.decode(list(row.ids)) for row in everything)

    ways: tuple[Literal["mask", "strip"], ...] = ("mask", "strip")
    for way in ways:
        encoder = ChatEncoder(of, Rendering(reasoning=way))
        rows = encoder.encode(conversation(turns, tools=False), max_tokens=10_000).rows
        text = "".join(one.text for one in learned(name, rows))
        assert THINKS["reasoning_content"] not in text
        assert THINKS["content"] in text
        assert THINKS_AGAIN["content"] in text
        in_rows = any(THINKS["reasoning_content"] in of.decode(list(row.ids)) for row in rows)
        assert in_rows == (shown and way == "mask")
