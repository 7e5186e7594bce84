"""Every procedure that the runbook promises is there, and each of its commands is typed by a test of this folder."""

import pytest

from tests.e2e.runbook.steps import NOT_TYPED, covered
from tests.support.runbook import procedures

PROMISED = (
    "Install", "Upgrade", "Back up and restore", "Roll back", "Halt and resume", "Replay", "Erase a user", "Rotate secrets",
    "Move from embedded to replicated", "Size the machine", "Lose a node", "Lose the broker", "Lose the bucket",
)  # fmt: skip


def test_the_runbook_has_each_procedure_with_commands() -> None:
    assert set(PROMISED) <= set(procedures())
    assert [title for title, blocks in procedures().items() if not blocks] == []


def test_each_command_is_typed_by_a_test() -> None:
    written = {(title, number) for title, blocks in procedures().items() for number in range(len(blocks))}

    assert written == covered()


@pytest.mark.parametrize("words", NOT_TYPED)
def test_what_is_not_typed_is_still_in_the_runbook(words: str) -> None:
    found = [command for blocks in procedures().values() for block in blocks for command in block.commands]

    assert any(command.startswith(words) for command in found)
