"""What becomes of the live version's files and of the target while it is live."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.ledger.stores import target_dir
from daemon.release.live_artifact import LiveArtifactCheck
from registry.manifest import MANIFEST
from tests.factories.daemon import LINE, Line, a_line
from tests.support.helpers import eventually


def flip(path: Path, place: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


#: What may happen to a folder of files.
DAMAGES: dict[str, Callable[[Path], object]] = {
    "one bit of the weights": lambda folder: flip(folder / "adapter_model.safetensors"),
    "one bit of the manifest": lambda folder: flip(folder / MANIFEST, 20),
    "a file is missing": lambda folder: (folder / "adapter_model.safetensors").unlink(),
    "the manifest is missing": lambda folder: (folder / MANIFEST).unlink(),
    "a file more": lambda folder: (folder / "other.bin").write_bytes(b"x"),
    "the weights are cut": lambda folder: (folder / "adapter_model.safetensors").write_bytes(b""),
    "the folder is moved": lambda folder: folder.rename(folder.parent / "elsewhere"),
}


class Bench:
    """A line whose v1 is live, and the check of its files."""

    def __init__(self, folder: Path) -> None:
        self.line: Line = a_line(folder)
        self.name = self.line.promoted()
        self.now = self.line.clock()
        self.check = LiveArtifactCheck(self.line.stores, clock=lambda: self.now)

    def turn(self) -> str | None:
        """Let a minute pass, and a check with it."""
        self.now += timedelta(minutes=1)
        history = self.line.stores.versions.history(LINE)
        self.check.step(history)
        eventually(lambda: self.check._check is None or self.check._check.done(), deadline_s=10)
        self.check.step(history)
        return self.check.problem

    @property
    def folder(self) -> Path:
        version = self.line.stores.versions.version(self.name)
        return self.line.stores.artifacts.local_folder(version.artifact or "", version.digest)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_files_as_they_were_are_no_problem(bench: Bench) -> None:
    assert bench.turn() is None


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_seen_with_the_version_and_a_way_out_and_logged_once(
    bench: Bench, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    bench.turn()
    damage(bench.folder)

    problem = bench.turn()
    bench.turn()

    assert problem is not None
    assert str(bench.name) in problem
    assert "retuned rollback" in problem
    assert caplog.text.count("not as they were") == 1


def test_files_that_were_restored_are_no_problem_any_more(bench: Bench) -> None:
    weights = bench.folder / "adapter_model.safetensors"
    flip(weights)
    assert bench.turn() is not None
    flip(weights)

    assert bench.turn() is None


def test_files_are_read_once_a_minute_at_most(bench: Bench) -> None:
    bench.turn()
    flip(bench.folder / "adapter_model.safetensors")
    bench.now += timedelta(seconds=59)

    for _ in range(3):
        bench.check.step(bench.line.stores.versions.history(LINE))

    assert bench.check._check is None
    assert bench.check.problem is None


@pytest.mark.parametrize("name", ["artifact", "digest", "base"])
def test_a_pointer_that_names_something_else_is_corrected(
    bench: Bench, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    pointer = target_dir(bench.line.settings) / "live.json"
    right = json.loads(pointer.read_text())
    pointer.write_text(json.dumps({**right, name: "other"}))

    bench.turn()

    corrected = json.loads(pointer.read_text())
    assert {**corrected, "since": ""} == {**right, "since": ""}
    assert "it was corrected" in caplog.text
