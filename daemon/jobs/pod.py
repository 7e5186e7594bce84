"""What runs in a job's pod, ``retuned train-job``.

It reads no settings file and no ledger, and needs no rights but those of the artifact store. Its credentials are found where
the store's file system looks for them: in the environment, or in the identity that the cluster gives the pod.

Events are JSON lines on stdout (learners.codec), of which the last says how the job ended; logs go to stderr. Exit codes are
those of daemon.jobs.exit_codes. Where torchrun's variables ask for several processes, this one starts them and waits; only
the first of all writes events.
"""

import logging
import signal
import threading
from contextlib import suppress
from pathlib import Path

from daemon.domain.os_errors import os_failure
from daemon.jobs.errors import JobError
from daemon.jobs.exit_codes import PodExit
from daemon.jobs.files import JobEnd, JobFiles
from daemon.jobs.job_run import JobRun
from learners.children.json_lines import JsonLineWriter
from learners.codec import event_to_json
from learners.errors import Cancelled, LearnerError, PeersLost
from learners.types import Event, Failure, Progress
from registry.errors import RegistryError

_log = logging.getLogger(__name__)
_DECLARED = (JobError, LearnerError, RegistryError, OSError)


class Pod:
    """Runs one job, unless it has ended already."""

    def __init__(self, artifacts: str, digest: str, *, base: Path | None, work: Path) -> None:
        """``artifacts`` is the URL of the artifact store. ``base`` is where this machine has the base model, None: where the
        job says. ``work`` is a folder for files; another attempt with the same folder goes on from what is there.
        """
        self._artifacts = artifacts
        self._digest = digest
        self._base = base
        self._work = work
        self._files = JobFiles(artifacts, cache=work / "artifacts")
        self._stop = threading.Event()
        self._tells = True  # events

    def run(self) -> int:
        """Run the job; return the exit code."""
        # At once: signals that a container's first process does not handle are ignored.
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        try:
            end = self._files.end_of(self._digest)
            if end is None:
                self._files.request(self._digest)  # refused before torch is loaded
            code = None if end else self._launch()
        except _DECLARED as error:
            end, code = self._failed(error), None
        if code is not None:
            return code
        lines = JsonLineWriter()
        with suppress(BrokenPipeError):  # nobody reads any more
            end = end or self._run_here(lines)
            if self._tells:
                lines.write(event_to_json(end))
            return _exit_code(end)
        return PodExit.CANCELLED

    def _launch(self) -> int | None:
        """Start several processes and return their exit code; None where this one trains."""
        from learners.training.launch import launch

        module = ["daemon", "train-job", "--artifacts", self._artifacts, "--job", self._digest]
        module += ["--work", str(self._work)]
        module += ["--base", str(self._base)] if self._base else []
        return launch(module, logs=self._work / "torchrun")

    def _run_here(self, lines: JsonLineWriter) -> JobEnd:
        """Run the job in this process. Raises BrokenPipeError."""
        from learners.training.peers import joined

        def report(progress: Progress) -> None:
            if self._tells:
                lines.write(event_to_json(progress))

        try:
            with joined() as peers:
                self._tells = peers.first
                folder = self._work / self._digest / str(peers.rank)
                run = JobRun(
                    self._files,
                    self._digest,
                    folder=folder,
                    base=self._base,
                    first=peers.first,
                    stop=self._stop,
                )
                return run.run(report)
        except BrokenPipeError:
            raise
        except _DECLARED as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> Failure:
        failure = _failure(error)
        if self._stop.is_set() and not failure.permanent:
            failure = Failure(error=Cancelled.__name__, message=failure.message, permanent=False)
        if not self._tells:
            _log.error("%s: %s", failure.error, failure.message, extra={"action": "train"})
        if failure.permanent:
            try:
                self._files.fail(self._digest, failure)
            except (OSError, JobError) as unstored:
                _log.warning("the failure could not be stored: %s", unstored, extra={"action": "train"})
        return failure


def _failure(error: Exception) -> Failure:
    permanent = error.permanent if isinstance(error, LearnerError) else not isinstance(error, OSError)
    message = os_failure(error) if isinstance(error, OSError) else str(error)
    return Failure(error=type(error).__name__, message=message, permanent=permanent)


def _exit_code(end: Event) -> PodExit:
    if not isinstance(end, Failure):
        return PodExit.FINISHED
    if end.permanent:
        return PodExit.PERMANENT
    return PodExit.CANCELLED if end.error in (Cancelled.__name__, PeersLost.__name__) else PodExit.FAILED
