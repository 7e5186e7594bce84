"""A folder for work on a backup, which one process uses at a time."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.backup.errors import BackupRefused
from daemon.domain.private_files import make_private_folder
from daemon.ledger.restore_journal import finish_in_lock, locked


@contextmanager
def workspace(state_dir: Path) -> Iterator[Path]:
    """Give an empty folder in the state folder that its owner alone can read, and delete it at the end.

    What a killed process left in it is deleted first, and a restore that was cut short is finished.
    Raises BackupRefused while another process uses it.
    """
    make_private_folder(state_dir)
    folder = state_dir / "backup"
    try:
        with locked(state_dir, wait=False):
            finish_in_lock(state_dir)
            shutil.rmtree(folder, ignore_errors=True)
            make_private_folder(folder)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError as error:
        raise BackupRefused(
            f"another backup or restore is at work in {state_dir}; wait for its end, and repeat the command"
        ) from error
