"""Every way in which an adapter's files can be wrong that peft and safetensors would accept."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from learners.errors import BadAdapter
from learners.models.adapter_files import AdapterConfig, check_adapter, expected_shapes
from learners.models.artifact import write_artifact

LINEARS = {
    "model.layers.0.self_attn.q_proj": (8, 8),
    "model.layers.0.mlp.up_proj": (16, 8),
    "model.layers.1.self_attn.q_proj": (8, 8),
}
CONFIG = AdapterConfig(rank=2, alpha=4.0, dropout=0.0, target_modules=("q_proj", "up_proj"))
A_KEY = "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A good one."""
    weights = {
        name: np.full(shape, 0.5, np.float32) for name, shape in expected_shapes(LINEARS, CONFIG).items()
    }
    save_file(weights, tmp_path / "weights")
    files = {
        "adapter_model.safetensors": (tmp_path / "weights").read_bytes(),
        "adapter_config.json": json.dumps(CONFIG.to_json()).encode(),
        "run.json": b"{}",
    }
    write_artifact(tmp_path / "adapter", files)
    return tmp_path / "adapter"


def sign(folder: Path) -> None:
    """Makes the manifest agree with whatever the files are now."""
    files = {
        file.name: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "size": file.stat().st_size}
        for file in folder.iterdir()
        if file.name != "manifest.json"
    }
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": files}))


Tensors = dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"]


def change_weights(folder: Path, change: Callable[[Tensors], object]) -> None:
    file = folder / "adapter_model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    sign(folder)


def test_a_good_adapter_passes(adapter: Path) -> None:
    assert check_adapter(adapter, LINEARS) == CONFIG


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json", "run.json"])
def test_one_flipped_bit_is_noticed(adapter: Path, name: str) -> None:
    content = bytearray((adapter / name).read_bytes())
    content[-1] ^= 1
    (adapter / name).write_bytes(content)

    with pytest.raises(BadAdapter, match=f"{name} is not what its manifest says"):
        check_adapter(adapter, LINEARS)


def test_a_folder_without_a_manifest_is_refused(adapter: Path) -> None:
    (adapter / "manifest.json").unlink()

    with pytest.raises(BadAdapter, match=r"manifest\.json"):
        check_adapter(adapter, LINEARS)


@pytest.mark.parametrize("manifest", ["", "[]", '{"files": []}', '{"files": {"a": 1}}'])
def test_a_manifest_that_cannot_be_read_is_refused(adapter: Path, manifest: str) -> None:
    (adapter / "manifest.json").write_text(manifest)

    with pytest.raises(BadAdapter):
        check_adapter(adapter, LINEARS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6])
def test_weights_that_are_not_finite_or_huge_are_refused(adapter: Path, value: float) -> None:
    change_weights(adapter, lambda tensors: tensors[A_KEY].__setitem__((0, 0), value))

    with pytest.raises(BadAdapter, match="finite and small"):
        check_adapter(adapter, LINEARS)


def test_a_missing_key_is_refused(adapter: Path) -> None:
    change_weights(adapter, lambda tensors: tensors.pop(A_KEY))

    with pytest.raises(BadAdapter, match="is missing"):
        check_adapter(adapter, LINEARS)


def test_a_key_too_many_is_refused(adapter: Path) -> None:
    change_weights(
        adapter,
        lambda tensors: tensors.update({"base_model.model.lm_head.weight": np.zeros((2, 2), np.float32)}),
    )

    with pytest.raises(BadAdapter, match="unknown to the base"):
        check_adapter(adapter, LINEARS)


def test_another_shape_is_refused(adapter: Path) -> None:
    change_weights(adapter, lambda tensors: tensors.update({A_KEY: np.zeros((2, 9), np.float32)}))

    with pytest.raises(BadAdapter, match=r"must be \('F32', \(2, 8\)\)"):
        check_adapter(adapter, LINEARS)


def test_another_number_format_is_refused(adapter: Path) -> None:
    change_weights(adapter, lambda tensors: tensors.update({A_KEY: tensors[A_KEY].astype(np.float16)}))

    with pytest.raises(BadAdapter, match="F16"):
        check_adapter(adapter, LINEARS)


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ((1 << 40).to_bytes(8, "little"), "header of"),
        ((2).to_bytes(8, "little") + b"[]", "no readable header"),
        ((4).to_bytes(8, "little") + b"{x:y", "no readable header"),
        ((1 << 20).to_bytes(8, "little") + b"[" * (1 << 20), "no readable header"),
        (b"", "no readable header"),
    ],
)
def test_a_header_that_is_huge_or_broken_is_refused(adapter: Path, header: bytes, complaint: str) -> None:
    (adapter / "adapter_model.safetensors").write_bytes(header)
    sign(adapter)

    with pytest.raises(BadAdapter, match=complaint):
        check_adapter(adapter, LINEARS)


def test_weights_that_are_cut_off_are_refused(adapter: Path) -> None:
    file = adapter / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    sign(adapter)

    with pytest.raises(BadAdapter, match="can't be read"):
        check_adapter(adapter, LINEARS)


@pytest.mark.parametrize(
    "change",
    [
        {"modules_to_save": ["lm_head"]},
        {"use_dora": True},
        {"bias": "all"},
        {"peft_type": "IA3"},
        {"inference_mode": 1.5},
        {"r": 200_000_000},
        {"r": 0},
        {"r": "2"},
        {"r": True},
        {"r": 3},
        {"lora_alpha": float("inf")},
        {"lora_alpha": -1},
        {"lora_dropout": 1},
        {"target_modules": "(a+)+$"},
        {"target_modules": ["(a+)+$"]},
        {"target_modules": ["lm_head"]},
        {"target_modules": [["q_proj"]]},
        {"target_modules": []},
        {"target_modules": ["q_proj"]},
    ],
)
def test_a_configuration_beyond_the_plain_one_is_refused(adapter: Path, change: dict[str, object]) -> None:
    (adapter / "adapter_config.json").write_text(json.dumps({**CONFIG.to_json(), **change}))
    sign(adapter)

    with pytest.raises(BadAdapter):
        check_adapter(adapter, LINEARS)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{}", b"[" * 60_000, b" " * 100_000])
def test_a_configuration_that_cannot_be_read_is_refused(adapter: Path, content: bytes) -> None:
    (adapter / "adapter_config.json").write_bytes(content)
    sign(adapter)

    with pytest.raises(BadAdapter):
        check_adapter(adapter, LINEARS)
