"""Looks at the base model's folder, without loading the model."""

import json
from pathlib import Path

from daemon.checkup.check import Check, ill, well
from daemon.settings import Settings
from learners.base import resolve_base
from learners.errors import UnusableModel

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


def check_model(settings: Settings) -> Check:
    """Look for weights, a tokenizer and a chat template."""
    try:
        folder = resolve_base(settings.model.base)
    except UnusableModel as error:
        return ill("model", str(error), "set model.base to such a folder")
    if not any((folder / name).exists() for name in _TOKENIZERS):
        return ill("model", f"{folder} has no tokenizer", "copy the tokenizer's files beside the weights")
    if not _has_chat_template(folder):
        return ill(
            "model",
            f"{folder} has no chat template, so conversations can't be put into words",
            "use a chat model, or add its chat_template.jinja",
        )
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    return well("model", f"{folder} has weights ({weights / 1e6:.0f} MB), tokenizer and chat template")


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").exists():
        return True
    try:
        return bool(json.loads((folder / "tokenizer_config.json").read_bytes()).get("chat_template"))
    except (OSError, ValueError, AttributeError):
        return False
