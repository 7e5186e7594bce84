"""Finds an embedding model on this machine, and reads how its token vectors are pooled. Imports no torch.

Two layouts are known: that of sentence-transformers (``modules.json``: an encoder, its pooling, perhaps a
normalisation), and a plain transformers encoder, whose tokens are averaged.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from learners.errors import UnusableModel
from learners.models.base import REMEDY, resolve_base

Pooling: TypeAlias = Literal["mean", "cls", "max", "lasttoken"]

_POOLINGS: Mapping[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "lasttoken",
}
_MODULES = ["Transformer", "Pooling"]


def resolve_encoder(name: str | Path) -> tuple[Path, Pooling]:
    """Return the folder of an embedding model and its pooling. Never uses the network.

    Raises UnusableModel if safetensors weights or tokenizer.json are missing, or a part is of an unknown kind.
    """
    folder = resolve_base(name)
    if not isinstance(_read(folder / "config.json").get("model_type"), str):
        raise UnusableModel(f"{folder / 'config.json'} names no model_type; {REMEDY}")
    if not (folder / "tokenizer.json").exists():
        raise UnusableModel(f"{folder} has no tokenizer.json; {REMEDY}")
    return folder, _pooling(folder)


def _pooling(folder: Path) -> Pooling:
    if not (folder / "modules.json").exists():
        return "mean"
    modules = [(str(module["type"]).rpartition(".")[2], str(module["path"])) for module in _modules(folder)]
    kinds = [kind for kind, _ in modules if kind != "Normalize"]
    if kinds != _MODULES or modules[0][1]:
        raise UnusableModel(
            f"{folder} is made of {', '.join(kind for kind, _ in modules) or 'nothing'}: only an encoder at the top of the "
            "folder, its pooling and a normalisation are known"
        )
    file = folder / modules[1][1] / "config.json"
    chosen = [
        name for name, value in _read(file).items() if name.startswith("pooling_mode_") and value is True
    ]
    if len(chosen) != 1 or chosen[0] not in _POOLINGS:
        raise UnusableModel(
            f"{file} asks for {', '.join(chosen) or 'no pooling'}; one of {', '.join(_POOLINGS)} is known"
        )
    return _POOLINGS[chosen[0]]


def _modules(folder: Path) -> list[Mapping[str, Any]]:
    modules = _json(folder / "modules.json")
    if not isinstance(modules, list) or not all(
        isinstance(module, Mapping) and {"type", "path"} <= module.keys() for module in modules
    ):
        raise UnusableModel(f"{folder / 'modules.json'} is no list of modules; {REMEDY}")
    return cast(list[Mapping[str, Any]], modules)


def _read(file: Path) -> Mapping[str, object]:
    found = _json(file)
    if not isinstance(found, Mapping):
        raise UnusableModel(f"{file} is no object; {REMEDY}")
    return found


def _json(file: Path) -> object:
    try:
        return cast(object, json.loads(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise UnusableModel(f"{file} can't be read: {error}; {REMEDY}") from error
