"""Notes which blocks of the runbook's procedures each test types."""

from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TypeVar, cast

from tests.support.runbook import procedures

_Test = TypeVar("_Test", bound=Callable[..., object])
Place = tuple[str, int]  # a procedure's title, and the number of a block in it
_covered: set[Place] = set()
_typed: set[Place] = set()
#: What no test types, by its first words, and why.
NOT_TYPED: Mapping[str, str] = {
    "python3 -m venv": "tests/e2e/test_first_hour.py installs into an environment of its own",
    "/opt/retuned/bin/pip install": "likewise; an upgrade needs a second release",
}


def covers(title: str, *numbers: int) -> Callable[[_Test], _Test]:
    """Declare which blocks of a procedure a test types; none named: all. The test fails if it leaves one out."""
    places = {(title, number) for number in numbers or range(len(procedures()[title]))}
    _covered.update(places)

    def declare(test: _Test) -> _Test:
        @wraps(test)
        def checked(*args: object, **fixtures: object) -> None:
            test(*args, **fixtures)
            assert places <= _typed

        return cast("_Test", checked)

    return declare


def note_typed(title: str, number: int) -> None:
    """Note that a test types a block."""
    _typed.add((title, number))


def covered() -> frozenset[Place]:
    """Every block that a test of this folder types."""
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        if file.stem != "test_collected":
            import_module(f"tests.e2e.runbook.{file.stem}")
    return frozenset(_covered)


def commands(title: str, number: int) -> list[str]:
    """The commands of a block that a test types."""
    block = procedures()[title][number]
    return [command for command in block.commands if not command.startswith(tuple(NOT_TYPED))]
