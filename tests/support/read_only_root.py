"""Runs a command as a container would: as another user, in a file system of which only some folders can be written."""

import os
import shlex
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.support.helpers import missing, required_program

_READ_ONLY = """
while read -r _ place _; do
    case "$writable" in *":$place:"*) continue ;; esac
    case "$place" in /proc*|/sys*|/dev*) ;; *) mount -o remount,bind,ro "$place" ;; esac
done < /proc/self/mounts
"""
_COMMAND = (
    "exec setpriv --reuid={uid} --regid={uid} --clear-groups --no-new-privs --bounding-set=-all {command}"
)


def run_read_only(
    command: Sequence[str],
    *,
    uid: int,
    workdir: Path,
    writable: Sequence[Path],
    readable: Sequence[Path],
    environment: Mapping[str, str],
    output: IO[bytes],
) -> subprocess.Popen[bytes]:
    """Start the command in a mount namespace of its own. Needs root, as in CI; elsewhere the test is skipped.

    ``readable`` are folders that the user must reach even where a folder above them is closed to others.
    """
    unshare = [str(required_program("unshare", "install util-linux")), "--mount", "--propagation", "private"]
    if os.geteuid() != 0 or subprocess.run([*unshare, "true"], check=False).returncode:
        missing("the right to make a mount namespace", "run the tests as root")
    script = [
        "set -eu",
        *_opened(readable, workdir),
        *(f"mount --bind {folder} {folder}" for folder in map(_quoted, writable)),
        f"writable={_quoted(':'.join(['', *map(str, writable), '']))}",
        _READ_ONLY,
        f"cd {_quoted(workdir)}",
        _COMMAND.format(uid=uid, command=shlex.join(command)),
    ]
    return subprocess.Popen(
        [*unshare, "sh", "-c", "\n".join(script)],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


def _opened(folders: Sequence[Path], holder: Path) -> list[str]:
    """Mount folders again at their own place, below parents that everybody may pass."""
    closed = {folder: _closed_parent(folder) for folder in folders}
    hidden = [(folder, holder / f".held-{number}") for number, folder in enumerate(folders) if closed[folder]]
    covered = sorted({str(parent) for parent in closed.values() if parent})
    return [
        *(
            f"mkdir {_quoted(held)}; mount --bind {_quoted(folder)} {_quoted(held)}"
            for folder, held in hidden
        ),
        *(f"mount -t tmpfs -o mode=755 tmpfs {_quoted(parent)}" for parent in covered),
        *(
            f"mkdir -p {_quoted(folder)}; mount --bind {_quoted(held)} {_quoted(folder)}; "
            f"umount {_quoted(held)}; rmdir {_quoted(held)}"
            for folder, held in hidden
        ),
    ]


def _closed_parent(folder: Path) -> Path | None:
    return next((each for each in reversed(folder.parents) if not each.stat().st_mode & stat.S_IXOTH), None)


def _quoted(path: object) -> str:
    return shlex.quote(str(path))
