import json
from pathlib import Path

import pytest

from learners.embedding.encoder_files import resolve_encoder
from learners.errors import UnusableModel
from tests.support.tiny_encoder import lay_out

TOKENS = "pooling_mode_mean_tokens"


def a_folder(folder: Path, **pooling: bool) -> Path:
    """A folder that looks like an embedding model's, in the layout of sentence-transformers if it has a pooling."""
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    if pooling:
        lay_out(folder, pooling)
    return folder


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({}, "mean"),
        ({TOKENS: True, "pooling_mode_cls_token": False}, "mean"),
        ({TOKENS: False, "pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode_max_tokens": True}, "max"),
        ({"pooling_mode_lasttoken": True}, "lasttoken"),
    ],
)
def test_the_models_own_pooling_is_read(tmp_path: Path, pooling: dict[str, bool], expected: str) -> None:
    folder = a_folder(tmp_path / "m", **pooling)

    assert resolve_encoder(folder) == (folder.resolve(), expected)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", "can't be read"),
        ("config.json", "[]", "no object"),
        ("config.json", "{}", "names no model_type"),
        ("modules.json", "{}", "no list of modules"),
        ("modules.json", json.dumps([{"type": "a.Transformer", "path": ""}]), "is made of Transformer"),
        ("modules.json", json.dumps([{"type": "a.Transformer", "path": "0_T"}, {"type": "a.Pooling", "path": "p"}]), "at the top"),
        ("1_Pooling/config.json", '{"pooling_mode_weightedmean_tokens": true}', "pooling_mode_weightedmean_tokens"),
        ("1_Pooling/config.json", "{}", "no pooling"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    folder = a_folder(tmp_path / "m", **{TOKENS: True})
    (folder / name).write_text(content)

    with pytest.raises(UnusableModel, match=message):
        resolve_encoder(folder)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    folder = a_folder(tmp_path / "m")
    (folder / missing).unlink()

    with pytest.raises(UnusableModel, match=missing.replace("model.safetensors", "safetensors")):
        resolve_encoder(folder)
