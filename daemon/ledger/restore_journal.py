"""The last step of a restore: files take their places, all of them or, before the journal is written, none.

A restore prepares its files beside those that they replace and then writes the journal. From then on it is decided: a
process that finds the journal finishes it, so that a kill in between leaves the old state or the new one.
"""

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from atomicwrites import replace_atomic
from pydantic import TypeAdapter

_JOURNAL, _LOCK = "restore.json", "backup.lock"
#: What belongs to an SQLite database beside its file.
BESIDE = ("-wal", "-shm")


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A prepared file, the file whose place it takes, and where that one goes."""

    prepared: Path
    place: Path
    aside: Path | None  # None: what was there is not kept


_CODEC = TypeAdapter(tuple[Move, ...])


@contextmanager
def locked(state_dir: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of backups and restores, which the end of the process frees. Raises BlockingIOError unless ``wait``."""
    descriptor = os.open(state_dir / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def commit_restore(state_dir: Path, moves: Sequence[Move]) -> None:
    """Have the prepared files on the disk, decide on the moves and make them. The caller holds the lock."""
    if not moves:
        return
    for move in moves:
        _sync(move.prepared)
        _sync(move.prepared.parent)
    journal = state_dir / _JOURNAL
    prepared = journal.with_suffix(".partial")
    with prepared.open("wb") as opened:
        opened.write(_CODEC.dump_json(tuple(moves)))
        opened.flush()
        os.fsync(opened.fileno())
    sys.audit("retuned.step", "restore.decide", "before")
    replace_atomic(str(prepared), str(journal))
    sys.audit("retuned.step", "restore.decide", "after")
    _make_moves(journal)


def finish_restore(state_dir: Path) -> bool:
    """Finish a restore that was cut short after it was decided; return whether there was one."""
    journal = state_dir / _JOURNAL
    if not journal.exists():
        return False
    with locked(state_dir, wait=True):
        return finish_in_lock(state_dir)


def finish_in_lock(state_dir: Path) -> bool:
    """Do what ``finish_restore`` does, for a caller that holds the lock."""
    journal = state_dir / _JOURNAL
    if not journal.exists():  # another process was faster
        return False
    _make_moves(journal)
    return True


def _make_moves(journal: Path) -> None:
    """Make the moves that are not made yet, and delete the journal."""
    for move in _CODEC.validate_json(journal.read_bytes()):
        if not move.prepared.exists():  # made before
            continue
        if move.aside is not None:
            for suffix in ("", *BESIDE):
                _keep(Path(f"{move.place}{suffix}"), Path(f"{move.aside}{suffix}"))
        for suffix in BESIDE:  # a log of the old database would be played into the new one
            Path(f"{move.place}{suffix}").unlink(missing_ok=True)
        sys.audit("retuned.step", "restore.move", "before")
        replace_atomic(str(move.prepared), str(move.place))
        sys.audit("retuned.step", "restore.move", "after")
    journal.unlink(missing_ok=True)


def _keep(file: Path, aside: Path) -> None:
    """Give a file a second name, or copy it where the file system knows no links."""
    if aside.exists() or not file.exists():
        return
    try:
        aside.hardlink_to(file)
    except OSError:
        partial = Path(f"{aside}.partial")
        shutil.copy2(file, partial)
        replace_atomic(str(partial), str(aside))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
