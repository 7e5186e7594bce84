"""A damaged base model is named, with the remedy, wherever it is loaded."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from learners.errors import UnusableModel
from learners.models.loading import load_base, load_tokenizer
from learners.scoring.process import ScorerProcess
from learners.types import Conversation, Message
from tests.support.tiny_model import make_tiny_model

WEIGHTS = "model.safetensors"
CONVERSATION = Conversation(
    id="1", messages=(Message(role="user", content="hi"), Message(role="assistant", content="hello"))
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def damaged(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "base"))


def cut_off(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1_000])


def overwrite(name: str, content: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(content, encoding="utf-8")

    return write


def load(folder: Path) -> None:
    load_tokenizer(folder)
    load_base(folder, torch.float32, torch.device("cpu"))


@pytest.mark.parametrize(
    "damage",
    [
        cut_off,
        overwrite(WEIGHTS, ""),
        overwrite(WEIGHTS, "no weights at all"),
        overwrite("config.json", "{"),
        overwrite("config.json", "[]"),
        overwrite("config.json", '{"model_type": "unknown"}'),
        overwrite("config.json", '{"model_type": "llama", "hidden_size": "x"}'),
        overwrite("config.json", '{"model_type": "llama", "num_attention_heads": 0}'),
        overwrite("tokenizer.json", "{"),
    ],
)
def test_a_damaged_model_is_named_with_the_remedy(damaged: Path, damage: Callable[[Path], None]) -> None:
    damage(damaged)

    with pytest.raises(UnusableModel, match=f"(?s){damaged}.*restore the folder"):
        load(damaged)


def test_the_scorer_tells_its_parent_rather_than_die(damaged: Path) -> None:
    cut_off(damaged)
    scorer = ScorerProcess(damaged, device="cpu", threads=1, dtype="float32", max_tokens=64)
    scorer.start()
    try:
        with pytest.raises(UnusableModel, match="restore the folder"):
            scorer.score(None, [CONVERSATION]).result(60)
    finally:
        scorer.stop(5)
