"""Converts a GGUF file to a folder in Hugging Face layout: ``python -m learners.models.convert GGUF FOLDER``.

A GGUF model can be run but not trained. The folder holds the weights in bfloat16 safetensors, the
tokenizer and its chat template.
"""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from learners.errors import LearnerError, UnusableModel

Report = Callable[[str], None]


def convert_gguf(gguf: Path, folder: Path, report: Report = lambda _: None) -> Path:
    """Write ``folder`` unless it exists, complete or not at all, and return it.

    Raises UnusableModel if transformers can't read the file.
    """
    if folder.exists():
        return folder
    if not gguf.is_file():
        raise UnusableModel(f"{gguf} does not exist; name a GGUF file, or a folder in Hugging Face layout")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        written = Path(scratch) / "model"
        _write(gguf, written, report)
        try:
            written.rename(folder)
        except OSError:
            if not folder.exists():  # else somebody else converted the same file meanwhile
                raise
    return folder


def _write(gguf: Path, folder: Path, report: Report) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    report("reading the tokenizer")
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
        report("reading the weights")
        # Left packed, as is the default where a kernel for it is installed, they could not be saved.
        model = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent),
            gguf_file=gguf.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),
        )
    except (ImportError, KeyError, OSError, RuntimeError, ValueError) as error:
        raise UnusableModel(f"{gguf} can't be converted: {error}") from error
    report("writing the folder")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main(arguments: list[str]) -> int:
    """Print a JSON line per stage: {"stage": ...}, at last {"folder": ...} or {"error": ..., "message": ...}."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m learners.models.convert GGUF FOLDER\n")
        return 2
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that scratch files go

    def say(**line: str) -> None:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    try:
        folder = convert_gguf(Path(arguments[0]), Path(arguments[1]), lambda stage: say(stage=stage))
    except LearnerError as error:
        say(error=type(error).__name__, message=str(error))
        return 1
    say(folder=os.fspath(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
