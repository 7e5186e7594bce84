"""A damaged embedding model is named, with its file and the remedy."""

import shutil
from pathlib import Path

import pytest

from learners.embedding.encoder import Encoder
from learners.embedding.process import embedder_process
from learners.errors import UnusableModel
from tests.support.damage import CONFIG, TOKENIZER, WEIGHTS, Damage, configured, cut, holding, lacking
from tests.support.devices import DEVICE
from tests.support.tiny_encoder import make_tiny_encoder

SECONDS = 60
TEXTS = ["where is my parcel?", "退款政策是什么"]
DAMAGES: dict[str, tuple[Damage, str]] = {
    "weights cut off": (cut(WEIGHTS, 0.99), WEIGHTS),
    "weights cut in the header": (cut(WEIGHTS, 0.0005), WEIGHTS),
    "weights empty": (holding(WEIGHTS, b""), WEIGHTS),
    "weights of a layer missing": (lacking("encoder.layer.1."), "lack encoder.layer.1."),
    "one weight missing": (
        lacking("embeddings.word_embeddings."),
        "lack embeddings.word_embeddings.weight, which",
    ),
    "config cut off": (cut(CONFIG, 0.5), CONFIG),
    "config of another kind": (holding(CONFIG, b"[]"), CONFIG),
    "config of a wrong type": (configured(hidden_size="many"), CONFIG),
    "config without a model": (configured(model_type=None), CONFIG),
    "config of more layers than weights": (configured(num_hidden_layers=6), CONFIG),
    "config of another width": (configured(hidden_size=96), "spoilt"),
    "tokenizer cut off": (cut(TOKENIZER, 0.5), "tokenizer"),
    "tokenizer of another kind": (holding(TOKENIZER, b"[]"), "tokenizer"),
    "tokenizer missing": (lambda folder: (folder / TOKENIZER).unlink(), TOKENIZER),
    "modules cut off": (cut("modules.json", 0.5), "modules.json"),
    "pooling cut off": (cut("1_Pooling/config.json", 0.5), "1_Pooling/config.json"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "spoilt"))


def load(folder: Path) -> Encoder:
    return Encoder(folder, device=DEVICE, max_tokens=40, batch=2)


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_with_the_remedy(folder: Path, name: str) -> None:
    damage, named = DAMAGES[name]
    damage(folder)

    with pytest.raises(UnusableModel, match=named) as refused:
        load(folder)
    assert "download or convert the model again" in str(refused.value)


def test_an_encoder_without_the_pooler_that_is_not_used_has_the_same_vectors(
    whole: Path, folder: Path
) -> None:
    lacking("pooler.")(folder)

    assert load(folder).vectors(TEXTS) == load(whole).vectors(TEXTS)


@pytest.mark.parametrize("name", ["weights of a layer missing", "tokenizer of another kind"])
def test_the_embedder_says_which_file_is_damaged(folder: Path, name: str) -> None:
    damage, named = DAMAGES[name]
    damage(folder)
    process = embedder_process(folder, device=DEVICE, threads=1)
    process.start()
    try:
        with pytest.raises(UnusableModel, match=named):
            process.calls.embed(TEXTS).result(SECONDS)
    finally:
        process.stop(5)
