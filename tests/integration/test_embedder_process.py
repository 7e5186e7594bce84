"""The embedder in its child process, on a tiny encoder."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from learners.children.rpc_client import RpcClient
from learners.embedding.process import Embedder, embedder_process
from learners.errors import ChildDied, UnusableModel
from tests.support.devices import DEVICE
from tests.support.tiny_encoder import make_tiny_encoder

SECONDS = 300
TEXTS = ["where is my parcel?", "退款政策是什么", "", "where is my parcel?", "x" * 5_000, "👍"]


def started(model: Path, *, batch: int = 32) -> RpcClient[Embedder]:
    process = embedder_process(model, device=DEVICE, threads=1, max_tokens=40, batch=batch)
    process.start()
    return process


def rows(vectors: list[bytes]) -> np.ndarray:
    return np.array([np.frombuffer(vector, "<f4") for vector in vectors])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def embedder(model: Path) -> Iterator[Embedder]:
    process = started(model)
    yield process.calls
    process.stop(5)


def test_a_text_has_a_vector_of_unit_length_whatever_it_is_embedded_with(embedder: Embedder) -> None:
    together = rows(embedder.embed(TEXTS).result(SECONDS))
    alone = rows([embedder.embed([text]).result(SECONDS)[0] for text in TEXTS if text])

    said = [n for n, text in enumerate(TEXTS) if text]
    assert together.shape == (6, 32)
    assert np.linalg.norm(together[said], axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert together[said] == pytest.approx(alone, abs=1e-5)
    assert together[0] == pytest.approx(together[3], abs=1e-6)
    assert not np.allclose(together[0], together[1], atol=0.05)


def test_no_texts_are_answered_too(embedder: Embedder) -> None:
    assert embedder.embed([]).result(SECONDS) == []


@pytest.mark.parametrize(
    "pooling", ["pooling_mode_cls_token", "pooling_mode_max_tokens", "pooling_mode_lasttoken"]
)
def test_the_models_own_pooling_is_used(tmp_path: Path, model: Path, pooling: str) -> None:
    from learners.embedding.encoder import Encoder

    other = make_tiny_encoder(tmp_path / "other", pooling={pooling: True})
    found, mean = (
        rows(Encoder(folder, device=DEVICE, max_tokens=40, batch=2).vectors(TEXTS[:2]))
        for folder in (other, model)
    )

    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(2), abs=1e-5)
    assert not np.allclose(found, mean, atol=1e-3)


def test_a_model_that_can_not_be_loaded_says_why(tmp_path: Path) -> None:
    folder = make_tiny_encoder(tmp_path / "spoilt")
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    process = started(folder)

    with pytest.raises(UnusableModel, match="can't be loaded"):
        process.calls.embed(["hello"]).result(SECONDS)
    process.stop(5)


def test_calls_fail_when_the_child_is_killed_and_after(model: Path) -> None:
    process = started(model)
    process.calls.embed([]).result(SECONDS)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(ChildDied):
        process.calls.embed(["hello"]).result(SECONDS)
    process.stop(5)
    assert not process.alive
