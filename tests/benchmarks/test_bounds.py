"""Commands on a ledger as it is after years: each within a second."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.benchmarks.figures import tell
from tests.factories.daemon import Line, a_line
from tests.factories.large_ledger import grow

CONVERSATIONS, WINDOWS, VERSIONS = 1_000_000, 10_000, 10_000
ROUNDS = 3
COMMANDS = (
    ("status",), ("versions",), ("show", "v9999"), ("show", "v5000"), ("history",), ("why",), ("why", "v9999"),
    ("drift", "show"), ("reference", "show"), ("intake", "show"), ("deadletters", "list"), ("erasures",),
    ("lineage", "v9999"),
)  # fmt: skip


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    made = a_line(tmp_path_factory.mktemp("line"))
    made.promoted()
    grow(made, conversations_to=CONVERSATIONS, windows_to=WINDOWS, versions_to=VERSIONS)
    yield made
    made.stores.engine.dispose()


class Taken(NamedTuple):
    """The best of some runs."""

    waited: float  # seconds, as a person waits
    worked: float  # seconds of the processor, which others who use it lengthen less


def taken_by(line: Line, commands: Iterable[Sequence[str]]) -> Taken:
    """Run each of some commands that do the same."""
    taken = []
    for words in commands:
        command = [sys.executable, "-m", "daemon", "--config", str(line.config), *words]
        worked, started = _work_of_children(), time.perf_counter()
        subprocess.run(
            command, cwd=Path(__file__).parents[2], env=_installed(line), check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        taken.append(Taken(time.perf_counter() - started, _work_of_children() - worked))
    return Taken(min(each.waited for each in taken), min(each.worked for each in taken))


def _installed(line: Line) -> dict[str, str]:
    """Return an environment in which modules are compiled once, as they are where pip installed them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(line.config.parent / "compiled")}


def _work_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def tell_both(what: str, taken: Taken) -> None:
    """Print both figures of a command."""
    ledger = f"at {VERSIONS:,} versions, {CONVERSATIONS:,} conversations"
    tell(f"retuned {what} {ledger}, of which {taken.worked:.2f} s of the processor", taken.waited, "s")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_answers_within_a_second(line: Line, words: tuple[str, ...]) -> None:
    taken = taken_by(line, [words] * ROUNDS)

    tell_both(" ".join(words), taken)
    assert taken.waited < 1.0


def test_a_rollback_is_done_within_a_second(line: Line) -> None:
    taken = taken_by(
        line, [("rollback", f"v{VERSIONS - 2 - number}", "-m", "worse") for number in range(ROUNDS)]
    )

    tell_both("rollback", taken)
    assert taken.waited < 1.0


def test_a_turn_of_the_release_stage_reads_only_what_is_new(line: Line) -> None:
    store = line.stores.versions
    store.history(line.settings.model_line)
    started = time.perf_counter()
    for _ in range(100):
        store.history(line.settings.model_line)
    taken = (time.perf_counter() - started) / 100

    tell("reading a promotion log of 10,000 entries again", taken * 1000, "ms")
    assert taken < 0.01
