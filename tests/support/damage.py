"""Damages the files of a model's folder."""

import json
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path], object]
WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"


def cut(name: str, share: float) -> Damage:
    """Keeps only the first part of a file."""

    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return damage


def holding(name: str, content: bytes) -> Damage:
    """Replaces a file's content."""
    return lambda folder: (folder / name).write_bytes(content)


def configured(**values: object) -> Damage:
    """Sets values in config.json."""

    def damage(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        (folder / CONFIG).write_text(json.dumps(config | values), encoding="utf-8")

    return damage


def lacking(prefix: str) -> Damage:
    """Leaves out the weights whose names begin so."""

    def damage(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / WEIGHTS)
        kept = {name: weight.clone() for name, weight in weights.items() if not name.startswith(prefix)}
        assert len(kept) < len(weights)
        save_file(kept, folder / WEIGHTS, metadata={"format": "pt"})

    return damage
