"""What the daemon imports of learners costs next to nothing; the rest of the torch-free part keeps its word."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from learners.codec import (
    CONVERSATIONS,
    conversation_from_line,
    event_from_json,
    event_to_json,
    request_from_json,
    request_to_json,
)
from learners.encoding.dataset import read_conversations
from learners.errors import BadAdapter, BadRequest, ChildTrouble, Diverged, UnusableModel, error_named
from learners.models.artifact import verify_artifact, write_artifact
from learners.models.base import base_digest, resolve_base
from learners.types import Event, Failure, LoraSettings, Progress, RunResult, Score, TrainRequest
from tests.factories.learners import a_conversation, write_data

_HEAVY = ("torch", "transformers", "peft", "safetensors", "numpy", "huggingface_hub")


@pytest.mark.parametrize(
    "module",
    [
        "types",
        "errors",
        "method_names",
        "models.base",
        "codec",
        "training.process",
        "scoring.process",
        "embedding.process",
        "embedding.encoder_files",
    ],
)
def test_what_the_daemon_imports_loads_no_torch(module: str) -> None:
    code = f"import sys, learners.{module}; print([name for name in {_HEAVY!r} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def a_train_request(**changes: object) -> TrainRequest:
    values: dict[str, object] = {
        "run": "r1",
        "base": Path("base"),
        "base_digest": "b",
        "parent": None,
        "data": Path("data.jsonl"),
        "data_digest": "d",
        "output": Path("out"),
    }
    return TrainRequest(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "request_",
    [
        a_train_request(),
        a_train_request(parent=Path("p"), settings=LoraSettings(target_modules=("q_proj", "v_proj"))),
    ],
)
def test_a_request_survives_its_way(request_: TrainRequest) -> None:
    assert request_from_json(request_to_json(request_)) == request_


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"surprise": 1}, "surprise"),
        ({"settings": {"rnak": 8}}, "rnak"),
        ({"data": None}, "can't be read"),
        ({"settings": []}, "can't be read"),
        ({"seed": "7"}, "seed: Input should be a valid integer"),
        ({"settings": {"rank": 8.5}}, r"settings\.rank: Input should be a valid integer"),
    ],
)
def test_a_malformed_request_is_named(change: dict[str, object], complaint: str) -> None:
    text = json.dumps({**json.loads(request_to_json(a_train_request())), **change})

    with pytest.raises(BadRequest, match=complaint):
        request_from_json(text)


def test_a_request_that_lacks_a_field_is_refused_with_its_name() -> None:
    with pytest.raises(BadRequest, match="base"):
        request_from_json("{}")


@pytest.mark.parametrize(
    "event",
    [
        Progress(
            phase="training", step=1, steps=2, loss=0.5, learning_rate=1e-4, tokens=10, tokens_per_s=5.0,
            seconds_left=None, rss_bytes=7,
        ),
        RunResult(
            run="r1", artifact=Path("a"), digest="d", steps=1, tokens=2, target_tokens=1, conversations=1,
            first_loss=2.0, last_loss=1.0, seconds=3.0, packages={"torch": "2"}, skipped={"no assistant turn": 1},
        ),
        Failure(error="Diverged", message="损失不是有限的", permanent=True),
    ],
)  # fmt: skip
def test_an_event_survives_its_way(event: Event) -> None:
    assert event_from_json(event_to_json(event)) == event


@pytest.mark.parametrize("line", ["", "hello", "[]", '{"event": "party"}', '{"event": "failed", "x": 1}'])
def test_a_line_that_is_no_event_is_told_apart(line: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting value|not an event"):
        event_from_json(line)


def test_a_conversation_survives_its_way() -> None:
    conversation = a_conversation("c1", "你好", "Hello")

    (document,) = CONVERSATIONS.dump_python([conversation], mode="json")
    assert conversation_from_line(json.dumps(document)) == conversation


def test_data_is_read_in_its_order(tmp_path: Path) -> None:
    conversations = [a_conversation("c1", "你好\u2028", "您好"), a_conversation("c2", "Hi", "Yes?")]
    digest = write_data(tmp_path / "data.jsonl", conversations)

    assert read_conversations(tmp_path / "data.jsonl", digest) == conversations


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "Invalid JSON"),
        ("[]", "should be an object"),
        ('{"messages": []}', "id: Field required"),
        ('{"id": "c", "messages": 1}', "messages: Input should be a valid array"),
        ('{"id": "", "messages": []}', "id: String should have at least 1 character"),
        ('{"id": 7, "messages": []}', "id: Input should be a valid string"),
        ('{"id": "c", "messages": [{"role": "robot", "content": "Hi"}]}', r"messages\[0\]\.role"),
        ('{"id": "c", "messages": [{"role": "user", "content": ""}]}', r"messages\[0\]: .*content is empty"),
        ('{"id": "c", "messages": [{"role": ["user"], "content": "Hi"}]}', "role"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str, complaint: str) -> None:
    data = tmp_path / "data.jsonl"
    write_data(data, [a_conversation("c1", "Hi", "Yes?")])
    data.write_text(data.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")

    with pytest.raises(BadRequest, match=rf"line 2: .*{complaint}"):
        read_conversations(data, hashlib.sha256(data.read_bytes()).hexdigest())


def test_data_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_bytes(b"\xff\n")

    with pytest.raises(BadRequest, match="not UTF-8"):
        read_conversations(data, hashlib.sha256(data.read_bytes()).hexdigest())


def test_an_artifact_is_verified_by_its_digest(tmp_path: Path) -> None:
    digest = write_artifact(tmp_path / "a", {"x": b"1", "y": b"2"})

    assert verify_artifact(tmp_path / "a") == digest
    assert digest == hashlib.sha256((tmp_path / "a" / "manifest.json").read_bytes()).hexdigest()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_an_artifact_is_not_written_over_another(tmp_path: Path) -> None:
    write_artifact(tmp_path / "a", {"x": b"1"})

    with pytest.raises(BadRequest, match="never overwritten"):
        write_artifact(tmp_path / "a", {"x": b"2"})
    assert (tmp_path / "a" / "x").read_bytes() == b"1"


def test_a_file_beside_the_manifest_is_noticed(tmp_path: Path) -> None:
    write_artifact(tmp_path / "a", {"x": b"1"})
    (tmp_path / "a" / "pickle.bin").write_bytes(b"2")

    with pytest.raises(BadAdapter, match=r"pickle\.bin"):
        verify_artifact(tmp_path / "a")


def a_base(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_a_folder_is_a_base(tmp_path: Path) -> None:
    assert resolve_base(a_base(tmp_path / "m")) == tmp_path / "m"


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_config_or_safetensors_is_refused(tmp_path: Path, missing: str) -> None:
    folder = a_base(tmp_path / "m")
    (folder / missing).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickle")

    with pytest.raises(UnusableModel, match="safetensors"):
        resolve_base(folder)


def test_the_digest_of_a_base_follows_its_weights_and_nothing_beside(tmp_path: Path) -> None:
    folder = a_base(tmp_path / "m")
    digest = base_digest(folder)
    (folder / "picture.png").write_bytes(b"x")
    assert base_digest(folder) == digest

    (folder / "model.safetensors").write_bytes(b"weightz")

    assert base_digest(folder) != digest


def test_an_error_comes_back_by_its_name() -> None:
    assert isinstance(error_named("Diverged", "m"), Diverged)


@pytest.mark.parametrize("name", ["RuntimeError", "error_named", "__builtins__"])
def test_a_foreign_error_keeps_its_name_in_the_message_and_may_pass(name: str) -> None:
    error = error_named(name, "m")

    assert type(error) is ChildTrouble
    assert not error.permanent
    assert str(error) == f"{name}: m"


def test_a_score_is_per_token() -> None:
    assert Score(id="c", nll=6.0, tokens=3).loss == 2.0
