"""A damaged base model is named, with its file and the remedy, whoever loads it."""

import shutil
import time
from pathlib import Path

import pytest
import torch

from learners.errors import UnusableModel
from learners.models.loading import load_base
from learners.models.tokenizer import load_tokenizer
from learners.scoring.process import scorer_process
from learners.training.process import TrainingProcess
from learners.types import Event, Failure, Progress
from tests.factories.learners import a_request, some_conversations
from tests.support.damage import CONFIG, TOKENIZER, WEIGHTS, Damage, configured, cut, holding, lacking
from tests.support.devices import DEVICE
from tests.support.tiny_model import make_tiny_model

SECONDS = 60


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "spoilt"))


DAMAGES: dict[str, tuple[Damage, str]] = {
    "weights cut off": (cut(WEIGHTS, 0.99), WEIGHTS),
    "weights cut in the header": (cut(WEIGHTS, 0.0005), WEIGHTS),
    "weights empty": (holding(WEIGHTS, b""), WEIGHTS),
    "weights of a layer missing": (lacking("model.layers.1."), "lack model.layers.1."),
    "config cut off": (cut(CONFIG, 0.5), CONFIG),
    "config of another kind": (holding(CONFIG, b"[]"), CONFIG),
    "config of a wrong type": (configured(hidden_size="many"), CONFIG),
    "config of no heads": (configured(num_attention_heads=0), CONFIG),
    "config of more layers than weights": (configured(num_hidden_layers=6), CONFIG),
    "config of another width": (configured(hidden_size=96), "spoilt"),
    "tokenizer cut off": (cut(TOKENIZER, 0.5), "tokenizer"),
    "tokenizer of another kind": (holding(TOKENIZER, b"[]"), "tokenizer"),
    "tokenizer without entries": (holding(TOKENIZER, b"{}"), "tokenizer"),
    "tokenizer config of another kind": (holding("tokenizer_config.json", b"[]"), "tokenizer"),
    "template not UTF-8": (holding("chat_template.jinja", b"\xff\xfe"), "tokenizer"),
}


def load(folder: Path) -> None:
    load_tokenizer(folder)
    load_base(folder, torch.float32, torch.device("cpu"))


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_with_the_remedy(folder: Path, name: str) -> None:
    damage, named = DAMAGES[name]
    damage(folder)

    with pytest.raises(UnusableModel, match=named) as refused:
        load(folder)
    assert "download or convert the model again" in str(refused.value)


def test_a_whole_model_is_loaded(folder: Path) -> None:
    load_tokenizer(folder)

    assert load_base(folder, torch.float32, torch.device("cpu")).num_parameters() > 0


@pytest.mark.parametrize("name", ["weights cut off", "config of no heads", "tokenizer of another kind"])
def test_the_scorer_says_which_file_is_damaged(folder: Path, name: str) -> None:
    damage, named = DAMAGES[name]
    damage(folder)
    process = scorer_process(folder, device=DEVICE, threads=1, dtype="float32")
    process.start()
    try:
        with pytest.raises(UnusableModel, match=named):
            process.calls.score(None, some_conversations(1)).result(SECONDS)
    finally:
        process.stop(5)


@pytest.mark.parametrize("name", ["weights cut off", "config of no heads", "tokenizer of another kind"])
def test_the_trainer_says_which_file_is_damaged(folder: Path, tmp_path: Path, name: str) -> None:
    damage, named = DAMAGES[name]
    damage(folder)
    process = TrainingProcess(a_request(tmp_path / "run", folder), tmp_path / "work")
    process.start()
    try:
        last = last_event(process)
    finally:
        process.stop(5)

    assert isinstance(last, Failure)
    assert (last.error, last.permanent) == ("UnusableModel", True)
    assert named in last.message


def last_event(process: TrainingProcess) -> Event:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for event in process.poll():
            if not isinstance(event, Progress):
                return event
        time.sleep(0.02)
    raise AssertionError(f"no last event within {SECONDS} s")
