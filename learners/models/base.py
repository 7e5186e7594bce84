"""Finds the base model on this machine, and computes its digest. Imports no torch."""

import hashlib
import json
from pathlib import Path

from learners.errors import UnusableModel

#: What a base model is made of. Pickled weights (.bin, .pt) and Python code are neither loaded nor counted.
_SUFFIXES = {".json", ".jinja", ".model", ".safetensors", ".txt"}

#: What to do about a model whose files are damaged.
REMEDY = "restore the folder, or download or convert the model again"


def resolve_base(name: str | Path, *, allow_download: bool = False) -> Path:
    """Return the folder of a base model, named by folder or by hub name.

    Uses the network only with ``allow_download``; otherwise a hub name must be in the local cache.
    Raises UnusableModel if there is no such model, or it has no safetensors weights.
    """
    folder = Path(name)
    if not folder.is_dir():
        folder = _from_hub(str(name), allow_download)
    for required in ("config.json", "*.safetensors"):
        if not any(folder.glob(required)):
            raise UnusableModel(
                f"{folder} has no {required}: the base model must be in Hugging Face layout with safetensors weights"
                " (python -m learners.models.convert makes such a folder of a GGUF file)"
            )
    return folder.resolve()


def _from_hub(name: str, allow_download: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(
            snapshot_download(
                name,
                local_files_only=not allow_download,
                allow_patterns=[f"*{suffix}" for suffix in sorted(_SUFFIXES)],
            )
        )
    except HFValidationError as error:
        raise UnusableModel(f"{name} is neither a folder nor a name on the hub") from error
    except (OSError, ValueError) as error:
        raise UnusableModel(
            f"{name} is no folder and not in the local hub cache; download it first, or name a folder"
        ) from error


def base_digest(folder: Path) -> str:
    """Return the SHA-256 over the names and contents of the config, tokenizer and weight files at the top of ``folder``."""
    listing = [[file.name, sha256_of(file)] for file in _files(folder)]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def base_stamp(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return names, sizes and times of the files that the digest covers. While it stays, so does the digest."""
    found = ((file.name, file.stat()) for file in _files(folder))
    return tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in found)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in _SUFFIXES and file.is_file())


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
