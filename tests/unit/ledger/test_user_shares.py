from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from daemon.ledger.intake import IntakeLedger
from daemon.ledger.user_shares import count_without_user, read_user_shares
from tests.factories.ledger import a_batch, a_ledger, some_conversations


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return a_ledger(tmp_path)


def store(engine: Engine, *users: str | None, held_out: bool = False) -> None:
    """Store a conversation of each user, with no user where it is None."""
    new = [
        replace(one, user_hash=user, group=user or one.group, held_out=held_out)
        for one, user in zip(some_conversations(0, len(users)), users, strict=True)
    ]
    IntakeLedger(engine, window_size=100).record(a_batch(new))


def test_an_empty_ledger_has_no_problem(engine: Engine) -> None:
    shares = read_user_shares(engine)

    assert (shares.conversations, shares.without_user, shares.of_one_user, shares.problem) == (0, 0, 0, None)


@pytest.mark.parametrize(
    ("held_out", "words"),
    [(True, "all held out, so nothing else is left"), (False, "all trainable, so the gate")],
)
def test_a_user_with_most_conversations_is_a_problem_on_either_side(
    engine: Engine, held_out: bool, words: str
) -> None:
    store(engine, *["shared"] * 30, *[f"u{number}" for number in range(10)], held_out=held_out)

    shares = read_user_shares(engine)

    assert (shares.of_one_user, shares.held_out) == (30, held_out)
    assert shares.problem is not None
    assert "30 of 40" in shares.problem
    assert words in shares.problem
    assert "hygiene.shared_user_ids" in shares.remedy


def test_a_user_among_many_is_no_problem(engine: Engine) -> None:
    store(engine, *["keen"] * 15, *[f"u{number}" for number in range(20)], None, None)

    shares = read_user_shares(engine)

    assert (shares.of_one_user, shares.without_user, shares.problem) == (15, 2, None)
    assert count_without_user(engine) == 2


def test_conversations_without_a_user_are_split_one_by_one_and_no_problem(engine: Engine) -> None:
    store(engine, *[None] * 40)

    assert read_user_shares(engine).problem is None


def test_a_few_conversations_say_nothing(engine: Engine) -> None:
    store(engine, *["shared"] * 19)

    assert read_user_shares(engine).problem is None


def test_shares_are_those_of_the_newest_conversations(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.ledger.user_shares._NEWEST", 30)
    store(engine, *["old"] * 40, *["shared"] * 30)

    shares = read_user_shares(engine)

    assert (shares.conversations, shares.of_one_user) == (30, 30)
    assert shares.problem is not None
    assert "30 of the newest 30 conversations" in shares.problem
