"""A training in its child process, on the tiny model: what the parent hears, whatever happens to the child."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from learners.codec import request_to_json
from learners.training.checkpoint import partial_folder
from learners.training.process import TrainingProcess
from learners.training.train_worker import CANCELLED, FAILED
from learners.types import Event, Failure, Progress, RunResult, TrainRequest
from tests.factories.learners import a_request, quick_settings
from tests.support.tiny_model import make_tiny_model

SECONDS = 60
Start = Callable[[TrainRequest], TrainingProcess]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[TrainingProcess] = []

    def begin(request: TrainRequest) -> TrainingProcess:
        process = TrainingProcess(request, tmp_path / "work")
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        process.stop(1)


def an_endless_request(folder: Path, base: Path) -> TrainRequest:
    return a_request(folder, base, settings=quick_settings(epochs=3_000.0))


def hear(process: TrainingProcess, until: Callable[[Event], bool]) -> list[Event]:
    """Events up to the first that is meant."""
    heard: list[Event] = []
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for event in process.poll():
            heard.append(event)
            if until(event):
                return heard
        time.sleep(0.02)
    raise AssertionError(f"not heard within {SECONDS} s; heard {heard[-3:]}")


def is_training(event: Event) -> bool:
    return isinstance(event, Progress) and event.phase == "training" and event.step > 0


def is_last(event: Event) -> bool:
    return not isinstance(event, Progress)


def test_progress_is_heard_and_at_last_the_result(start: Start, base: Path, tmp_path: Path) -> None:
    process = start(a_request(tmp_path, base))

    heard = hear(process, is_last)

    assert isinstance(heard[0], Progress)
    assert isinstance(heard[-1], RunResult)
    assert (heard[-1].artifact / "adapter_model.safetensors").is_file()


def test_polling_never_waits(start: Start, base: Path, tmp_path: Path) -> None:
    process = start(an_endless_request(tmp_path, base))
    before = time.monotonic()

    process.poll()

    assert time.monotonic() - before < 0.1


def test_cancelling_ends_it_soon_without_an_artifact(start: Start, base: Path, tmp_path: Path) -> None:
    request = an_endless_request(tmp_path, base)
    process = start(request)
    hear(process, is_training)
    before = time.monotonic()

    process.cancel()
    last = hear(process, is_last)[-1]

    assert isinstance(last, Failure)
    assert (last.error, last.permanent) == ("Cancelled", False)
    assert time.monotonic() - before < 2
    assert not request.output.exists()
    assert partial_folder(request.output).exists(), "the same request could not go on"


def test_a_killed_child_is_told_as_its_death(start: Start, base: Path, tmp_path: Path) -> None:
    process = start(an_endless_request(tmp_path, base))
    hear(process, is_training)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)

    last = hear(process, is_last)[-1]

    assert isinstance(last, Failure)
    assert (last.error, last.permanent) == ("ChildDied", False)
    assert "signal 9" in last.message
    assert process.pid is None


def test_a_run_that_was_killed_goes_on_from_its_checkpoint_to_the_same_artifact(
    start: Start, base: Path, tmp_path: Path
) -> None:
    settings = quick_settings(epochs=20.0, checkpoint_every_s=0.05)
    unbroken = hear(start(a_request(tmp_path / "a", base, settings=settings)), is_last)[-1]
    request = a_request(tmp_path / "b", base, settings=settings)
    first = start(request)
    checkpoint = partial_folder(request.output) / "checkpoint.safetensors"
    hear(first, lambda _: checkpoint.exists())
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    hear(first, is_last)
    assert not request.output.exists()

    heard = hear(start(request), is_last)

    begun = next(event for event in heard if isinstance(event, Progress) and event.phase == "training")
    assert begun.step > 0, "it began anew"
    assert isinstance(unbroken, RunResult)
    assert isinstance(heard[-1], RunResult)
    assert heard[-1].digest == unbroken.digest


def test_a_refusal_is_told_with_its_name(start: Start, base: Path, tmp_path: Path) -> None:
    process = start(replace(a_request(tmp_path, base), data_digest="0" * 64))

    last = hear(process, is_last)[-1]

    assert isinstance(last, Failure)
    assert (last.error, last.permanent) == ("BadRequest", True)


def test_an_unknown_method_is_refused(start: Start, base: Path, tmp_path: Path) -> None:
    last = hear(start(a_request(tmp_path, base, method="magic")), is_last)[-1]

    assert isinstance(last, Failure)
    assert "lora" in last.message


def test_stopping_leaves_no_process(start: Start, base: Path, tmp_path: Path) -> None:
    process = start(an_endless_request(tmp_path, base))

    process.stop(0.01)

    assert not process.running


def run_worker(request: TrainRequest, folder: Path) -> "subprocess.Popen[str]":
    file = folder / "request.json"
    file.write_text(request_to_json(request), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "learners.training.train_worker", str(file), "--stop-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_a_worker_whose_parent_died_cancels_itself(base: Path, tmp_path: Path) -> None:
    request = an_endless_request(tmp_path, base)
    with run_worker(request, tmp_path) as worker:
        assert worker.stdout is not None
        assert worker.stdin is not None
        for line in worker.stdout:
            if json.loads(line).get("step"):
                worker.stdin.close()  # as the kernel does for a parent that died
                break
        last = list(worker.stdout)[-1]

    assert json.loads(last)["error"] == "Cancelled"
    assert worker.returncode == CANCELLED
    assert not request.output.exists()


def test_a_failed_worker_has_an_exit_code_of_its_own(base: Path, tmp_path: Path) -> None:
    with run_worker(replace(a_request(tmp_path, base), base_digest="0"), tmp_path) as worker:
        worker.communicate(timeout=SECONDS)

    assert worker.returncode == FAILED
