"""Reads the holdout key, and creates it at the first start."""

import os
import secrets
from pathlib import Path

from daemon.domain.holdout import BadHoldoutKey
from daemon.domain.os_errors import os_remedy
from daemon.domain.private_files import make_private_file


def key_path(file: Path | None, *, state_dir: Path) -> Path:
    """Return where the key lies: in ``file``, by default in the state folder."""
    return file or state_dir / "holdout.key"


def read_key(path: Path) -> bytes:
    """Return the key. Raises BadHoldoutKey."""
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise BadHoldoutKey(
            f"the holdout key {path} can't be read: {error.strerror}; {os_remedy(error)}, or correct holdout.key_file"
        ) from error


def create_key(path: Path) -> None:
    """Create a key that only its owner can read; one that is there stays."""
    descriptor = make_private_file(path)
    if descriptor is None:
        return
    with os.fdopen(descriptor, "w") as opened:
        opened.write(secrets.token_hex(32))
        opened.flush()
        os.fsync(descriptor)
