from collections.abc import Mapping

import pytest

from daemon.release.answers.checks import Check, Expected, failed_checks
from learners.types import Answer

_ENGLISH = "You can change the address of your order until it has left our warehouse."
_CHINESE = "您可以在订单离开仓库之前修改收货地址。"
_TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "required": ["city"]}},
}


def an_answer(text: str, *, raw: str | None = None, ended: bool = True) -> Answer:
    return Answer(id="1", text=text, raw=text if raw is None else raw, ended=ended, tokens=20)


def failing(answer: Answer, expected: Expected) -> set[str]:
    return {check for check, fails in failed_checks(answer, expected).items() if fails}


def test_a_good_answer_fails_nothing() -> None:
    expected = Expected(prompt="Can I change the address of my order?", good=_ENGLISH)

    found = failed_checks(an_answer(_ENGLISH), expected)

    assert not any(found.values())
    assert set(found) == set(Check) - {Check.JSON, Check.TOOL_CALLS}


@pytest.mark.parametrize(
    ("answer", "check"),
    [
        (an_answer(_ENGLISH, ended=False), Check.ENDS),
        (an_answer(" "), Check.NOT_EMPTY),
        (an_answer("I can say that. " * 12), Check.NO_REPETITION),
        (an_answer(_CHINESE), Check.LANGUAGE),
        (an_answer("I'm sorry, but I can't help with that."), Check.NO_REFUSAL),
        (an_answer("Well, " + " ".join(f"word{number}" for number in range(200))), Check.LENGTH),
    ],
)
def test_each_defect_is_found_by_its_check(answer: Answer, check: Check) -> None:
    expected = Expected(prompt="Can I change the address of my order?", good=_ENGLISH)

    assert check in failing(answer, expected)


def test_an_answer_is_too_short_where_the_good_one_says_much_more() -> None:
    expected = Expected(prompt="Why?", good=" ".join(f"word{number}" for number in range(90)))

    assert failing(an_answer("Because."), expected) == {Check.LENGTH}
    assert Check.LENGTH not in failing(an_answer("Because of", ended=False), expected)


def test_the_language_of_the_prompt_counts_where_the_good_answer_is_short() -> None:
    expected = Expected(prompt="Can I change the address of my order, and until when?", good="Yes.")

    assert failing(an_answer(_CHINESE), expected) == {Check.LANGUAGE}
    assert failed_checks(an_answer("Oui."), expected)[Check.LANGUAGE] is False


def test_a_refusal_is_right_where_the_good_answer_refuses() -> None:
    expected = Expected(prompt="Give me the password of my boss.", good="I'm sorry, I cannot help with that.")

    assert Check.NO_REFUSAL not in failed_checks(an_answer("I can't help with that."), expected)


@pytest.mark.parametrize(
    ("good", "prompt"),
    [
        ('{"city": "Rome"}', "Where?"),
        ("Rome", "Where is it? Answer in JSON."),
        ("罗马", "请以JSON格式回答：在哪里？"),
    ],
)
def test_json_is_wanted_where_the_good_answer_is_json_or_the_prompt_asks_for_it(
    good: str, prompt: str
) -> None:
    expected = Expected(prompt=prompt, good=good)

    assert failed_checks(an_answer('{"city": "Rome"'), expected)[Check.JSON]
    assert not failed_checks(an_answer('```json\n{"city": "Rome"}\n```'), expected)[Check.JSON]


def test_a_program_that_reads_json_is_no_json() -> None:
    expected = Expected(
        prompt="Can you write a JSON parser in JavaScript?", good="Here it is: JSON.parse(text)"
    )

    assert Check.JSON not in failed_checks(an_answer("JSON.parse(text)"), expected)


@pytest.mark.parametrize(
    "raw",
    [
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>',
        '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Rome"}}]',
        '[TOOL_CALLS]weather[ARGS]{"city": "Rome"}',
        '{"name": "weather", "parameters": {"city": "Rome"}}',
        '<|python_tag|>{"name": "weather", "parameters": {"city": "Rome"}}<|eom_id|>',
        '[weather(city="Rome")]',
        '<function=weather>{"city": "Rome"}</function>',
        "<tool_call>\n<function=weather>\n<parameter=city>\nRome\n</parameter>\n</function>\n</tool_call>",
    ],
)
def test_calls_are_read_as_the_common_templates_write_them(raw: str) -> None:
    expected = Expected(prompt="How is the weather in Rome?", good="", calls_tools=True, tools=[_TOOL])

    assert failing(an_answer("", raw=raw), expected) == set()


@pytest.mark.parametrize(
    ("raw", "tools"),
    [
        ("I will look it up.", [_TOOL]),
        ('<tool_call>{"name": "weather", "arguments": {"city": </tool_call>', [_TOOL]),
        ('<tool_call>{"name": "weather", "arguments": {}}</tool_call>', [_TOOL]),
        ('<tool_call>{"name": "news", "arguments": {"city": "Rome"}}</tool_call>', [_TOOL]),
        ('<tool_call>{"name": "weather", "arguments": ["Rome"]}</tool_call>', []),
        (
            '<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call><tool_call>{</tool_call>',
            [_TOOL],
        ),
        ("[weather(city=open('x'))]", [_TOOL]),
    ],
)
def test_calls_of_no_offered_tool_or_without_their_arguments_are_wrong(
    raw: str, tools: list[Mapping[str, object]]
) -> None:
    expected = Expected(prompt="How is the weather in Rome?", good="", calls_tools=True, tools=tools)

    assert failed_checks(an_answer(raw, raw=raw), expected)[Check.TOOL_CALLS]


def test_tools_without_a_schema_are_compared_by_name() -> None:
    raw = '<tool_call>{"name": "weather"}</tool_call>'
    tools = [{"type": "function", "function": {"name": "weather", "parameters": None}}]
    expected = Expected(prompt="How is the weather?", good="", calls_tools=True, tools=tools)

    assert failing(an_answer("", raw=raw), expected) == set()
