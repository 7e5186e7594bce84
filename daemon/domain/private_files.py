"""Makes folders and files that their owner alone can read."""

import os
import stat
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600
_READ_OR_WRITE = stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH


def make_private_folder(folder: Path) -> None:
    """Create a folder that its owner alone can read. An existing one stays as the operator made it."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def make_private_file(path: Path) -> int | None:
    """Create an empty file that its owner alone can read, and return its descriptor; None if the file exists."""
    make_private_folder(path.parent)
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except FileExistsError:  # another process may have created it first
        return None


def others_may_use(path: Path) -> int | None:
    """Return the mode of a file or folder that others can read or write; None if only its owner can.

    A file of another owner that this process reads through its group, as it does a mounted Secret, may be read by that group.
    """
    found = path.stat()
    mode, forbidden = stat.S_IMODE(found.st_mode), _READ_OR_WRITE
    if found.st_uid != os.geteuid() and found.st_gid in {os.getegid(), *os.getgroups()}:
        forbidden &= ~stat.S_IRGRP
    return mode if mode & forbidden else None
