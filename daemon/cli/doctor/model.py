"""Checks the files of the base model and the embedding model, without loading them."""

import json
from collections.abc import Iterator
from pathlib import Path

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.settings import Settings
from learners.embedding.encoder_files import resolve_encoder
from learners.errors import UnusableModel
from learners.models.base import resolve_base

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


def check_model(settings: Settings) -> Check:
    """Check for weights, a tokenizer and a chat template."""
    try:
        folder = resolve_base(settings.model.base)
    except UnusableModel as error:
        return failed("model", str(error), "set model.base to a chat model's folder")
    if not any((folder / name).exists() for name in _TOKENIZERS):
        return failed("model", f"{folder} has no tokenizer", "copy the tokenizer's files into it")
    if not _has_chat_template(folder):
        return failed(
            "model",
            f"{folder} has no chat template",
            "use a chat model, or add its chat_template.jinja",
        )
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    return passed("model", f"{folder} has weights ({weights / 1e6:.0f} MB), tokenizer and chat template")


def check_embedding(settings: Settings) -> Iterator[Check]:
    """Check the embedding model, where one is configured."""
    name = settings.monitors.embedding.model
    if name is None:
        return
    try:
        folder, pooling = resolve_encoder(name)
    except UnusableModel as error:
        yield failed(
            "embedding model",
            str(error),
            "set monitors.embedding.model to an encoder's folder, or unset it: it is optional",
        )
    else:
        yield passed(
            "embedding model", f"{folder} has weights and tokenizer; its vectors are pooled by {pooling}"
        )


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").exists():
        return True
    try:
        return bool(json.loads((folder / "tokenizer_config.json").read_bytes()).get("chat_template"))
    except (OSError, ValueError, AttributeError):
        return False
