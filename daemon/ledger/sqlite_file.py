"""Notices that the file of an SQLite ledger, or its write-ahead log, was moved, deleted or replaced while it is open."""

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from daemon.domain.errors import LedgerLost, LedgerUnavailable

#: Where a connection keeps which file its write-ahead log was, in its ``info``.
_LOG = "retuned_log"
_PUT_BACK = (
    "nothing more is written; put the file back with the files -wal and -shm beside it, and start again"
)


def watch_file(engine: Engine, path: Path) -> None:
    """Check the file before each transaction and before each commit, so that nothing is committed to a file that is gone.

    Those then raise LedgerLost; LedgerUnavailable where the folder can't be read for now.
    """
    file = LedgerFile(path.absolute())
    event.listen(engine, "connect", lambda *_: file.note_opened())
    event.listen(engine, "begin", file.check_with_log)
    event.listen(engine, "commit", file.check_with_log)


class LedgerFile:
    """A file, known by device and inode since it was first opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None

    def note_opened(self) -> None:
        """Remember which file the path names, unless another connection did."""
        if self._opened is None:
            self._opened = self._read()

    def check(self) -> None:
        """Raise LedgerLost if the path names no file, or another one than that which was opened."""
        if self._opened is not None and self._read() != self._opened:
            raise LedgerLost(
                f"the ledger {self._path} was replaced by another file while it was open; {_PUT_BACK}"
            )

    def check_with_log(self, connection: Connection) -> None:
        """Check the file, and that the log is the one that this connection has open.

        SQLite deletes the log when the last connection ends, so while one is open, somebody else did.
        """
        self.check()
        known, found = connection.info.get(_LOG), self._read_log()
        if known is None:
            connection.info[_LOG] = found
        elif known != found:
            raise LedgerLost(
                f"the log of the ledger, {self._path}-wal, was deleted or replaced while it was open; {_PUT_BACK}"
            )

    def _read_log(self) -> tuple[int, int] | None:
        with suppress(OSError):
            found = os.stat(f"{self._path}-wal")  # noqa: PTH116 - as below
            return found.st_dev, found.st_ino
        return None

    def _read(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - at every transaction, so without a Path's detours
        except (FileNotFoundError, NotADirectoryError) as error:
            raise LedgerLost(
                f"the ledger {self._path} was moved or deleted while it was open; {_PUT_BACK}"
            ) from error
        except OSError as error:
            raise LedgerUnavailable(
                f"the ledger {self._path} can't be used now: {error.strerror}; check its disk and the folder's permissions"
            ) from error
        return found.st_dev, found.st_ino
