"""Opens the file that a child process writes its own log into."""

import tempfile
from pathlib import Path
from typing import IO


def open_child_log(path: Path | None) -> IO[bytes]:
    """Open an empty file to write and read. What the child before wrote stays beside it, as ``NAME.1``.

    Without a path the file has no name, and goes with the child.
    """
    if path is None:
        return tempfile.TemporaryFile()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("w+b")
