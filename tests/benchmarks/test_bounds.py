"""Commands on a ledger as it is after years: each within a second."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

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


def seconds(line: Line, *words: str) -> float:
    """The best of some runs, as a person waits for it."""
    command = [sys.executable, "-m", "daemon", "--config", str(line.config), *words]
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run(command, cwd=Path(__file__).parents[2], check=True, capture_output=True, timeout=120)
        taken.append(time.perf_counter() - started)
    return min(taken)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_answers_within_a_second(line: Line, words: tuple[str, ...]) -> None:
    taken = seconds(line, *words)

    tell(f"retuned {' '.join(words)} at {VERSIONS:,} versions, {CONVERSATIONS:,} conversations", taken, "s")
    assert taken < 1.0


def test_a_turn_of_the_release_stage_reads_only_what_is_new(line: Line) -> None:
    store = line.stores.versions
    store.history(line.settings.model_line)
    started = time.perf_counter()
    for _ in range(100):
        store.history(line.settings.model_line)
    taken = (time.perf_counter() - started) / 100

    tell("reading a promotion log of 10,000 entries again", taken * 1000, "ms")
    assert taken < 0.01
