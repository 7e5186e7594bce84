"""What runs and ledgers hold: documents written by earlier releases, byte for byte. Never change an expectation here."""

import hashlib
from pathlib import Path

import pytest

from learners.codec import event_from_json, event_to_json, request_from_json, request_to_json
from learners.models.artifact import write_artifact
from learners.types import Event, Failure, LoraSettings, Progress, RunResult, TrainRequest

REQUEST = TrainRequest(
    run="r1", base=Path("/models/基础"), base_digest="b" * 64, parent=Path("/artifacts/p"), data=Path("data.jsonl"),
    data_digest="d" * 64, output=Path("out"), settings=LoraSettings(target_modules=("q_proj", "v_proj"), alpha=16.0),
    seed=7, device="cpu", threads=2,
)  # fmt: skip
BARE_REQUEST = TrainRequest(
    run="r2",
    base=Path("base"),
    base_digest="b",
    parent=None,
    data=Path("d"),
    data_digest="d",
    output=Path("o"),
)
EVENTS: dict[str, Event] = {
    "progress": Progress(
        phase="training", step=1, steps=2, loss=0.5, learning_rate=1e-4, tokens=10, tokens_per_s=5.0,
        seconds_left=None, rss_bytes=7,
    ),
    "finished": RunResult(
        run="r1", artifact=Path("/a"), digest="d", steps=1, tokens=2, target_tokens=1, conversations=1,
        first_loss=2.0, last_loss=1.0, seconds=3.0, packages={"torch": "2"}, skipped={"no assistant turn": 1},
    ),
    "failed": Failure(error="Diverged", message="损失 “not finite”", permanent=True),
}  # fmt: skip
LINES = {
    "progress": '{"event": "progress", "phase": "training", "step": 1, "steps": 2, "loss": 0.5, "learning_rate": 0.0001, "tokens": 10, "tokens_per_s": 5.0, "seconds_left": null, "rss_bytes": 7}',
    "finished": '{"event": "finished", "run": "r1", "artifact": "/a", "digest": "d", "steps": 1, "tokens": 2, "target_tokens": 1, "conversations": 1, "first_loss": 2.0, "last_loss": 1.0, "seconds": 3.0, "packages": {"torch": "2"}, "skipped": {"no assistant turn": 1}}',
    "failed": '{"event": "failed", "error": "Diverged", "message": "\\u635f\\u5931 \\u201cnot finite\\u201d", "permanent": true}',
}
TEXTS = {
    "request": (
        "{\n"
        ' "base": "/models/\\u57fa\\u7840",\n'
        ' "base_digest": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",\n'
        ' "data": "data.jsonl",\n'
        ' "data_digest": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",\n'
        ' "device": "cpu",\n'
        ' "method": "lora",\n'
        ' "output": "out",\n'
        ' "parent": "/artifacts/p",\n'
        ' "run": "r1",\n'
        ' "seed": 7,\n'
        ' "settings": {\n'
        '  "alpha": 16.0,\n'
        '  "checkpoint_every_s": 120.0,\n'
        '  "dropout": 0.0,\n'
        '  "dtype": "auto",\n'
        '  "epochs": 2.0,\n'
        '  "learning_rate": 0.0002,\n'
        '  "max_grad_norm": 1.0,\n'
        '  "max_tokens": 1024,\n'
        '  "rank": 16,\n'
        '  "target_modules": [\n'
        '   "q_proj",\n'
        '   "v_proj"\n'
        "  ],\n"
        '  "tokens_per_step": 1024,\n'
        '  "warmup_share": 0.1,\n'
        '  "weight_decay": 0.0\n'
        " },\n"
        ' "threads": 2\n'
        "}"
    ),
    "bare request": (
        "{\n"
        ' "base": "base",\n'
        ' "base_digest": "b",\n'
        ' "data": "d",\n'
        ' "data_digest": "d",\n'
        ' "device": "auto",\n'
        ' "method": "lora",\n'
        ' "output": "o",\n'
        ' "parent": null,\n'
        ' "run": "r2",\n'
        ' "seed": 0,\n'
        ' "settings": {\n'
        '  "alpha": 32.0,\n'
        '  "checkpoint_every_s": 120.0,\n'
        '  "dropout": 0.0,\n'
        '  "dtype": "auto",\n'
        '  "epochs": 2.0,\n'
        '  "learning_rate": 0.0002,\n'
        '  "max_grad_norm": 1.0,\n'
        '  "max_tokens": 1024,\n'
        '  "rank": 16,\n'
        '  "target_modules": "all-linear",\n'
        '  "tokens_per_step": 1024,\n'
        '  "warmup_share": 0.1,\n'
        '  "weight_decay": 0.0\n'
        " },\n"
        ' "threads": 0\n'
        "}"
    ),
    "manifest": (
        "{\n"
        ' "files": {\n'
        '  "adapter_config.json": {\n'
        '   "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",\n'
        '   "size": 2\n'
        "  },\n"
        '  "adapter_model.safetensors": {\n'
        '   "sha256": "a82087423a13cb9d32812403246e56861ec29245d76c8c90a455255bf91dff17",\n'
        '   "size": 700\n'
        "  },\n"
        '  "run.json": {\n'
        '   "sha256": "e8c628edc9968ef0c668f54e0ba2636b35503357eb1aca0ddc828aeace432f67",\n'
        '   "size": 9\n'
        "  }\n"
        " },\n"
        ' "format": 1\n'
        "}\n"
    ),
    "digest": ("8ffc4c869661ade8afaa9d963ff5d3aba3f7fc1617cf1c281ea4b52caaeea3ab"),
}


def test_a_request_is_written_and_read_as_ever() -> None:
    assert request_to_json(REQUEST) == TEXTS["request"]
    assert request_from_json(TEXTS["request"]) == REQUEST
    assert request_to_json(BARE_REQUEST) == TEXTS["bare request"]
    assert request_from_json(TEXTS["bare request"]) == BARE_REQUEST


def test_a_request_of_an_earlier_release_gets_the_defaults() -> None:
    text = '{"run": "r2", "base": "base", "base_digest": "b", "data": "d", "data_digest": "d", "output": "o", "parent": null}'

    assert request_from_json(text) == BARE_REQUEST


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_written_and_read_as_ever(name: str) -> None:
    assert event_to_json(EVENTS[name]) == LINES[name]
    assert event_from_json(LINES[name]) == EVENTS[name]


def test_an_artifact_has_the_manifest_and_the_digest_that_it_always_had(tmp_path: Path) -> None:
    files = {
        "adapter_model.safetensors": b"weights" * 100,
        "adapter_config.json": b"{}",
        "run.json": b'{"a": 1}\n',
    }

    digest = write_artifact(tmp_path / "artifact", files)

    assert (tmp_path / "artifact" / "manifest.json").read_text(encoding="ascii") == TEXTS["manifest"]
    assert digest == hashlib.sha256(TEXTS["manifest"].encode()).hexdigest()
    assert digest == TEXTS["digest"]
