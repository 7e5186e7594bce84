"""Checks an adapter's files before they are loaded; peft and safetensors alone accept nearly anything.

No file decides what is allocated or executed: sizes are bounded, keys and shapes must be exactly those of
base model and rank, and target modules are names, never regular expressions.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from learners.errors import BadAdapter
from learners.models.artifact import verify_artifact

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
LARGEST_RANK = 512
_LARGEST_CONFIG = 64 << 10  # bytes
_LARGEST_HEADER = 8 << 20  # bytes; 512 modules need 0.1 MiB
_LARGEST_WEIGHT = 100.0  # trained ones stay below 1
#: The whole of an adapter's configuration; what isn't here has no effect, or one that isn't wanted.
_FIXED = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", "inference_mode": True}
_FREE = {"r", "lora_alpha", "lora_dropout", "target_modules"}

#: Name of a linear layer -> (outputs, inputs): what an adapter can attach to.
Linears = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterConfig:
    """The settings that give an adapter's weights their meaning."""

    rank: int
    alpha: float
    dropout: float
    target_modules: tuple[str, ...]  # last parts of the names of linear layers, sorted

    def to_json(self) -> dict[str, object]:
        return {
            **_FIXED,
            "r": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": self.dropout,
            "target_modules": list(self.target_modules),
        }


def expected_shapes(linears: Linears, config: AdapterConfig) -> dict[str, tuple[int, int]]:
    """Return every key of the adapter's weights file with its shape."""
    shapes = {}
    for name, (outputs, inputs) in linears.items():
        if name.rpartition(".")[2] in config.target_modules:
            shapes[f"base_model.model.{name}.lora_A.weight"] = (config.rank, inputs)
            shapes[f"base_model.model.{name}.lora_B.weight"] = (outputs, config.rank)
    return shapes


def check_adapter(folder: Path, linears: Linears) -> AdapterConfig:
    """Return the adapter's configuration after checking all its files against a base with these layers.

    Raises BadAdapter with the reason.
    """
    verify_artifact(folder)
    config = _read_config(folder / CONFIG, linears)
    weights = folder / WEIGHTS
    _check_header(weights, expected_shapes(linears, config))
    try:
        tensors = load_file(weights)
    except (OSError, SafetensorError, ValueError) as error:
        raise BadAdapter(f"{weights} can't be read: {error}") from error
    for name, tensor in tensors.items():
        largest = float(np.abs(tensor).max())
        if not largest <= _LARGEST_WEIGHT:  # also where it is NaN
            raise BadAdapter(
                f"{weights}: {name} has a weight of {largest}; trained ones are finite and small"
            )
    return config


def _read_config(file: Path, linears: Linears) -> AdapterConfig:
    if not file.is_file() or file.stat().st_size > _LARGEST_CONFIG:
        raise BadAdapter(f"{file} is missing or larger than {_LARGEST_CONFIG} bytes")
    try:
        values = json.loads(file.read_bytes())
    except (RecursionError, ValueError) as error:
        raise BadAdapter(f"{file} is not JSON: {error}") from error
    if not isinstance(values, dict) or set(values) != {*_FIXED, *_FREE}:
        differing = sorted(set(values) ^ {*_FIXED, *_FREE}) if isinstance(values, dict) else ["everything"]
        raise BadAdapter(f"{file} lacks, or must not have: {', '.join(differing)}")
    for key, value in _FIXED.items():
        if values[key] != value:
            raise BadAdapter(f"{file}: {key} must be {value!r}")
    rank, alpha, dropout = values["r"], values["lora_alpha"], values["lora_dropout"]
    if not isinstance(rank, int) or not 1 <= rank <= LARGEST_RANK:
        raise BadAdapter(f"{file}: r must be a whole number from 1 to {LARGEST_RANK}")
    if not _is_number(alpha) or not 0 < alpha <= 1e4 or not _is_number(dropout) or not 0 <= dropout < 1:
        raise BadAdapter(f"{file}: lora_alpha or lora_dropout is out of range")
    return AdapterConfig(
        rank=rank,
        alpha=alpha,
        dropout=dropout,
        target_modules=_targets(file, values["target_modules"], linears),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _targets(file: Path, values: object, linears: Linears) -> tuple[str, ...]:
    known = {name.rpartition(".")[2] for name in linears}
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(value, str) and value in known for value in values)
    ):
        raise BadAdapter(
            f"{file}: target_modules must be a list of linear layers of the base: {sorted(known)}"
        )
    return tuple(sorted(values))


def _check_header(file: Path, shapes: Mapping[str, tuple[int, int]]) -> None:
    """Read the header alone, after checking that it is small."""
    if not file.is_file():
        raise BadAdapter(f"{file} is missing")
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if size > _LARGEST_HEADER:
            raise BadAdapter(f"{file} has a header of {size} bytes; at most {_LARGEST_HEADER} are read")
        try:
            header = json.loads(stream.read(size))
            header.pop("__metadata__", None)
            found = {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise BadAdapter(f"{file} has no readable header: {error!r}") from error
    for name in sorted({*found, *shapes}):
        if name not in found or name not in shapes:
            raise BadAdapter(f"{file}: {name} is {'unknown to the base' if name in found else 'missing'}")
        if found[name] != ("F32", shapes[name]):
            raise BadAdapter(f"{file}: {name} is {found[name]}, must be ('F32', {shapes[name]})")
