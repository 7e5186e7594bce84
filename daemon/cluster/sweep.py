"""Deletes what trainings of earlier runs left behind: Jobs that go on, and files with text of conversations."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from daemon.cluster.errors import ClusterError
from daemon.cluster.facts import JobFacts
from daemon.domain.backoff import Backoff
from daemon.jobs.files import JobFiles
from daemon.telemetry.log_context import carried

_log = logging.getLogger(__name__)
_FIRST_RETRY_S, _LONGEST_RETRY_S = 5.0, 300.0


class Jobs(Protocol):
    """The Jobs of a cluster. Every method may raise ClusterError."""

    def jobs(self, labels: Mapping[str, str]) -> list[JobFacts]: ...

    def delete(self, name: str) -> None: ...

    def close(self) -> None: ...


class Sweep:
    """Works in a thread of its own when it is asked to, until it is done."""

    def __init__(
        self,
        connect: Callable[[], Jobs],
        files: JobFiles,
        *,
        labels: Mapping[str, str],
        model_line: str,
        follows: Callable[[str], bool],
        keeps: Callable[[str, str | None], bool],
    ) -> None:
        """Jobs are looked for by their ``labels``, files by their model line.

        ``follows`` returns whether a training here follows the Job of that name, ``keeps`` whether the files of a digest and
        a run are still needed. Both are called by another thread.
        """
        self._connect = connect
        self._files = files
        self._labels = labels
        self._model_line = model_line
        self._follows = follows
        self._keeps = keeps
        self._closing = threading.Event()
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        """Begin, or begin again where it works already. Does not wait."""
        self._asked.set()
        if self._thread is None:
            self._thread = threading.Thread(target=carried(self._run), name="retuned-job-sweep", daemon=True)
            self._thread.start()

    def close(self, timeout_s: float) -> None:
        """End, done or not: the next leader begins anew."""
        self._closing.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        backoff = Backoff(_FIRST_RETRY_S, _LONGEST_RETRY_S)
        while True:
            self._asked.wait()
            if self._closing.is_set():
                return
            self._asked.clear()
            try:
                self._delete_jobs()
                self._delete_files()
            except (ClusterError, OSError) as error:
                if not backoff.failures:
                    extra = {"action": "train"}
                    _log.warning("what earlier trainings left can't be deleted yet: %s", error, extra=extra)
                self._closing.wait(backoff.fail(time.monotonic()))
                self._asked.set()
            else:
                backoff.reset()

    def _delete_jobs(self) -> None:
        cluster = self._connect()
        try:
            for job in cluster.jobs(self._labels):
                if not (job.ended or job.deleting or self._follows(job.name)):
                    extra = {"action": "train"}
                    _log.warning("Job %s is deleted: no run needs it any more", job.name, extra=extra)
                    cluster.delete(job.name)
        finally:
            cluster.close()

    def _delete_files(self) -> None:
        for job in self._files.stored():
            if job.model_line == self._model_line and not self._keeps(job.digest, job.run):
                self._files.delete(job.digest)
