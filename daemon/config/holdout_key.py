"""Reads the holdout key, and creates it at the first start."""

import os
import secrets
from pathlib import Path

from daemon.domain.holdout import BadHoldoutKey
from daemon.domain.private_files import make_private_file


def read_key(file: Path | None, *, state_dir: Path) -> bytes:
    """Return the key in ``file``, or in the state folder, where the first start creates it.

    Raises BadHoldoutKey.
    """
    path = file or state_dir / "holdout.key"
    if file is None and not path.exists():
        _create_key(path)
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise BadHoldoutKey(
            f"the holdout key {path} can't be read: {error.strerror}; check holdout.key_file"
        ) from error


def _create_key(path: Path) -> None:
    descriptor = make_private_file(path)
    if descriptor is None:
        return
    with os.fdopen(descriptor, "w") as opened:
        opened.write(secrets.token_hex(32))
        opened.flush()
        os.fsync(descriptor)
