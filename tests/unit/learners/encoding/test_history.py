"""Exchanges go from the middle of a history; its first, its last and the system turns stay longest."""

import pytest

from learners.encoding.history import exchanges_to_drop, shortened
from learners.types import Message, Role

ROLES: dict[str, Role] = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}


def turns(text: str) -> list[Message]:
    """Messages from names such as "u1", whose letter is the role."""
    return [Message(role=ROLES[name[0]], content=name) for name in text.split()]


def names(messages: list[Message]) -> str:
    return " ".join(message.content for message in messages)


@pytest.mark.parametrize(
    ("dropped", "left"),
    [
        (0, "s1 u1 a1 u2 a2 u3 a3 u4"),
        (1, "s1 u1 a1 u3 a3 u4"),
        (2, "s1 u1 a1 u4"),
        (3, "s1 u4"),
    ],
)
def test_the_oldest_exchange_after_the_first_goes_first_and_the_first_goes_last(
    dropped: int, left: str
) -> None:
    before = turns("s1 u1 a1 u2 a2 u3 a3 u4")

    assert exchanges_to_drop(before) == 3
    assert names(shortened(before, dropped)) == left


def test_calls_and_their_results_go_together() -> None:
    before = turns("u1 a1 u2 a2 t2 a3 u3")

    assert names(shortened(before, 1)) == "u1 a1 u3"


def test_system_turns_are_kept_wherever_they_stand() -> None:
    before = turns("u1 a1 u2 a2 s2 u3 a3 u4")

    assert names(shortened(before, 3)) == "s2 u4"


def test_a_greeting_belongs_to_the_first_exchange() -> None:
    before = turns("a0 u1 a1 u2")

    assert exchanges_to_drop(before) == 1
    assert names(shortened(before, 1)) == "u2"


def test_questions_in_a_row_are_one_exchange() -> None:
    assert exchanges_to_drop(turns("u1 u2 a1")) == 0


def test_nothing_can_go_from_nothing() -> None:
    assert exchanges_to_drop([]) == 0
    assert shortened([], 0) == []
