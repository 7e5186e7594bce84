"""Stores a run's checkpoints as they appear, so that another pod goes on from them."""

import logging
import threading
from contextlib import suppress
from pathlib import Path

from daemon.jobs.files import JobFiles

_log = logging.getLogger(__name__)
#: Seconds between two uploads: an evicted pod's successor repeats so much work, at most.
EVERY_S = 600.0


class CheckpointUpload:
    """Looks for a new checkpoint at intervals, in a thread of its own, and a last time as it ends."""

    def __init__(self, files: JobFiles, digest: str, file: Path, *, every_s: float = EVERY_S) -> None:
        """``file`` is the checkpoint; the learner replaces it as a whole, and deletes it when the run is finished."""
        self._files = files
        self._digest = digest
        self._file = file
        self._every_s = every_s
        self._stored: int | None = None  # time of modification, ns
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoint-upload")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self._every_s):
            self._upload()
        self._upload()

    def _upload(self) -> None:
        try:
            with suppress(FileNotFoundError):  # none yet, or the run is finished
                modified = self._file.stat().st_mtime_ns
                if modified != self._stored:
                    self._files.put_checkpoint(self._digest, self._file)
                    self._stored = modified
        except OSError as error:  # the next one is tried again
            _log.warning("the checkpoint could not be stored: %s", error, extra={"action": "train"})
