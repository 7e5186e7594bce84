"""Turns what libraries raise on a model's damaged files into errors with the remedy. Imports no torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig

from learners.errors import UnusableModel
from learners.models.base import REMEDY

#: What transformers, tokenizers and safetensors raise on files that are cut off, altered or of another shape.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
    TypeError,
    ValueError,
)


def check_config(folder: Path) -> None:
    """Read the model's config.json. Raises UnusableModel if it is damaged."""
    with unusable_where_damaged(str(folder / "config.json")):
        AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


@contextmanager
def unusable_where_damaged(what: str, *, weights_of: Path | None = None) -> Iterator[None]:
    """Turn what transformers raises on damaged files into UnusableModel with the remedy.

    ``weights_of`` is the folder whose safetensors files are searched for the damaged one.
    """
    try:
        yield
    except _DAMAGE as error:
        damaged = _damaged_weights(weights_of) if weights_of else None
        cause = f"{damaged} is damaged: {error}" if damaged else error
        raise UnusableModel(f"{what} can't be loaded: {cause}; {REMEDY}") from error


def _damaged_weights(folder: Path) -> Path | None:
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt"):
                pass
        except (OSError, SafetensorError):
            return file
    return None
