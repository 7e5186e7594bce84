"""Every declared error has an exit code, which its command returns."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cli.exit_codes import ERRORS, MEANINGS, ExitCode, exit_code_of
from daemon.cli.failures import failure
from daemon.config.mistakes import SettingsError
from daemon.demo.errors import BadOptions
from daemon.domain.errors import DaemonError, LedgerError, StaleLeader
from learners.errors import ChildDied
from registry.manifest import AlteredFile
from registry.names import BadName
from registry.store import Conflict
from registry.transitions import GateNotPassed

ROOT = Path(__file__).parents[3]
ROOTS = ("DaemonError", "RegistryError", "LearnerError")
LISTED = {name for names in ERRORS.values() for name in names}


def bases() -> dict[str, list[str]]:
    """Each class of the packages whose errors commands report, and the names of its bases."""
    files = [
        file for package in ("daemon", "registry", "learners") for file in (ROOT / package).rglob("*.py")
    ]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    return {
        node.name: [ast.unparse(base).rpartition(".")[2] for base in node.bases]
        for node in nodes
        if isinstance(node, ast.ClassDef)
    }


BASES = bases()


def ancestors(name: str) -> Iterator[str]:
    for base in BASES.get(name, []):
        yield base
        yield from ancestors(base)


DECLARED = sorted(name for name in BASES if set(ancestors(name)) & set(ROOTS))


def test_declared_errors_are_found() -> None:
    assert {"Conflict", "GateNotPassed", "SettingsError", "BadAdapter", "NothingHalted"} <= set(DECLARED)


@pytest.mark.parametrize("name", DECLARED)
def test_every_declared_error_has_a_code(name: str) -> None:
    assert {name, *ancestors(name)} & LISTED, f"{name}: give it, or a base of it, a code in cli/exit_codes.py"


def test_every_listed_error_is_declared_and_listed_once() -> None:
    assert set(DECLARED) >= LISTED
    assert sum(map(len, ERRORS.values())) == len(LISTED)


def test_every_code_has_a_meaning() -> None:
    assert list(MEANINGS) == list(ExitCode)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LedgerError("x"), 1), (AlteredFile("x"), 1), (ChildDied("x"), 1), (DaemonError("x"), 1), (OSError(13, "x"), 1),
        (BadName("x"), 2), (SettingsError(()), 2), (BadOptions("x"), 2),
        (GateNotPassed("x"), 3),
        (Conflict("x"), 4), (StaleLeader("x"), 4),
    ],
)  # fmt: skip
def test_an_error_ends_its_command_with_the_code_of_its_nearest_base(error: Exception, code: int) -> None:
    found = failure(error)

    assert found is not None
    assert found.exit_code == code


def test_what_nobody_declared_has_failed() -> None:
    assert exit_code_of(ValueError) is ExitCode.FAILED
