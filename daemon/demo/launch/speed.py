"""Measures how fast this machine trains, by a few real steps in a child process."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.demo.errors import OutOfTime, StartFailed
from daemon.demo.launch.wordings import Wording
from learners.models.base import base_digest
from learners.training.process import TrainingProcess
from learners.types import Event, Failure, LoraSettings, RunResult, TrainRequest

_QUESTIONS = 40  # some 2,400 tokens
_STEPS_TOKENS = 512
_TIMEOUT_S = 180.0
_EVERY_S = 0.1


def measure_speed(base: Path, wordings: Sequence[Wording], folder: Path) -> float:
    """Train on a few questions and return the tokens of a second; what comes of it is thrown away.

    Takes some 20 seconds, most of them to load the model. Raises StartFailed, OutOfTime.
    """
    process = TrainingProcess(_request(base, wordings[:_QUESTIONS], folder), folder)
    process.start()
    try:
        for event in _events(process):
            if isinstance(event, RunResult):
                return event.tokens / event.seconds
            if isinstance(event, Failure):
                raise StartFailed(f"this machine can't train: {event.message}; see {folder}/worker.log")
    finally:
        process.stop(0)
    raise OutOfTime(f"a training of a few steps took longer than {_TIMEOUT_S:.0f} s")


def _events(process: TrainingProcess) -> Iterator[Event]:
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        yield from process.poll()
        time.sleep(_EVERY_S)


def _request(base: Path, wordings: Sequence[Wording], folder: Path) -> TrainRequest:
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "questions.jsonl"
    data.write_text("".join(f"{json.dumps(_line(number, one))}\n" for number, one in enumerate(wordings)))
    return TrainRequest(
        run="speed",
        base=base,
        base_digest=base_digest(base),
        parent=None,
        data=data,
        data_digest=hashlib.sha256(data.read_bytes()).hexdigest(),
        output=folder / "adapter",
        settings=LoraSettings(epochs=1.0, tokens_per_step=_STEPS_TOKENS),
    )


def _line(number: int, wording: Wording) -> dict[str, object]:
    return {
        "id": str(number),
        "messages": [
            {"role": "user", "content": wording.text},
            {"role": "assistant", "content": wording.fact.answer},
        ],
        "origin": "new",
    }
