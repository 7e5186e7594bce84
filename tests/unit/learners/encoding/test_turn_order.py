"""Turns are arranged as a template takes them, and otherwise left as they are."""

import pytest

from learners.encoding.turn_order import Accepts, arranged
from learners.types import Message

ALL = Accepts()


def turns(*said: str) -> list[Message]:
    """Messages from texts such as "user: Hi"."""
    parts = (text.partition(": ") for text in said)
    return [Message(role=role, content=content) for role, _, content in parts]  # type: ignore[arg-type]


def shown(messages: list[Message]) -> list[str]:
    return [f"{message.role}: {message.content}" for message in messages]


def test_what_the_template_takes_is_left_as_it_is() -> None:
    before = turns("assistant: Welcome", "system: S", "user: Hi", "user: There", "system: T", "user: More")

    assert arranged(before, ALL, fold_system=True) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["system: S", "user: Hi"], ["user: S\n\nHi"]),
        (["system: S", "system: T", "user: Hi"], ["user: S\n\nT\n\nHi"]),
        (["system: S"], ["user: S"]),
    ],
)
def test_a_refused_system_prompt_becomes_a_part_of_the_first_question(
    before: list[str], after: list[str]
) -> None:
    accepts = Accepts(system=False, late_system=False)

    assert shown(arranged(turns(*before), accepts, fold_system=True)) == after


def test_a_refused_system_prompt_is_left_to_be_refused_if_it_may_not_be_folded() -> None:
    before = turns("system: S", "user: Hi")

    assert arranged(before, Accepts(system=False), fold_system=False) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            ["user: Hi", "assistant: Yes", "system: S", "user: More"],
            ["user: Hi", "assistant: Yes", "user: S\n\nMore"],
        ),
        (["user: Hi", "system: S"], ["user: Hi\n\nS"]),
        (["user: Hi", "assistant: Yes", "system: S"], ["user: Hi", "assistant: Yes", "user: S"]),
        (
            ["user: Hi", "system: S", "assistant: Yes", "user: More"],
            ["user: Hi\n\nS", "assistant: Yes", "user: More"],
        ),
    ],
)
@pytest.mark.parametrize("fold_system", [True, False])
def test_a_late_system_turn_goes_to_the_users_next_turn_or_the_one_before(
    before: list[str], after: list[str], fold_system: bool
) -> None:
    accepts = Accepts(late_system=False)

    assert shown(arranged(turns(*before), accepts, fold_system=fold_system)) == after


def test_turns_of_one_role_are_joined_where_roles_must_alternate() -> None:
    before = turns("user: Hi", "user: There", "assistant: Yes", "assistant: Sir", "user: More")

    after = arranged(before, Accepts(repeats=False), fold_system=True)

    assert shown(after) == ["user: Hi\n\nThere", "assistant: Yes\n\nSir", "user: More"]


def test_results_of_several_tools_are_never_joined() -> None:
    before = turns("user: Hi", "tool: 1", "tool: 2")

    assert arranged(before, Accepts(repeats=False), fold_system=True) == before


def test_a_refused_greeting_is_left_out_and_the_system_prompt_stays() -> None:
    before = turns("system: S", "assistant: Welcome", "user: Hi", "assistant: Yes", "user: More")

    after = arranged(before, Accepts(greeting=False), fold_system=True)

    assert shown(after) == ["system: S", "user: Hi", "assistant: Yes", "user: More"]
