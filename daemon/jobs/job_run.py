"""One job on one machine: fetches and checks its files, trains, and stores the artifact and the result."""

import logging
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from daemon.domain.backoff import Backoff
from daemon.jobs.checkpoint_upload import CheckpointUpload
from daemon.jobs.files import JobFiles
from daemon.jobs.request import DATA
from learners.codec import event_from_json, event_to_json
from learners.errors import Cancelled, LearnerError
from learners.models.base import resolve_base
from learners.training.train_worker import train
from learners.types import Progress, RunResult, TrainRequest
from registry.file_systems import open_folder, write_whole

_log = logging.getLogger(__name__)
#: Of a finished run whose artifact is not stored yet.
_RESULT = "result.json"
#: Seconds in which an artifact store that does not answer is tried again with a finished run.
_STORE_S = 900.0


class JobRun:
    """A process's part of a job. The first of those that train together keeps checkpoints and stores the result."""

    def __init__(
        self,
        files: JobFiles,
        digest: str,
        *,
        folder: Path,
        base: Path | None,
        first: bool,
        stop: threading.Event,
    ) -> None:
        """``folder`` is this process's alone; what an earlier one left there is used. ``base`` is where this machine has the
        base model, None: where the job says. ``stop`` asks the run to end.
        """
        self._files = files
        self._digest = digest
        self._folder = folder
        self._base = base
        self._first = first
        self._stop = stop

    def run(self, report: Callable[[Progress], None]) -> RunResult:
        """Run the job to its end; return the result, whose artifact is in the store.

        The text of conversations is deleted from this machine in any case, and all files where no other attempt goes on from
        them. Raises JobError, LearnerError, RegistryError, and OSError where the store can't be reached.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            result = self._train(self._fetch(), report)
            if self._first:
                result = self._store(result)
        except LearnerError as error:
            if error.permanent:
                shutil.rmtree(self._folder, ignore_errors=True)
            raise
        finally:
            (self._folder / DATA).unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        return result

    def _fetch(self) -> TrainRequest:
        """Return the request with the paths of this machine, where all that it names is."""
        job = self._files.request(self._digest)
        base = resolve_base(self._base or job.base)
        parent = None if job.parent is None else self._files.fetch_parent(job.parent)
        request = job.at(self._folder, base=base, parent=parent)
        self._files.fetch_data(self._digest, job, request.data)
        return request

    def _train(self, request: TrainRequest, report: Callable[[Progress], None]) -> RunResult:
        """Train, or return what an earlier process trained here and could not store."""
        from learners.training.checkpoint import checkpoint_file

        earlier = self._trained_before()
        if earlier is not None:
            return earlier
        shutil.rmtree(
            request.output, ignore_errors=True
        )  # written, but the process ended before its result was
        checkpoint = checkpoint_file(request.output)
        if self._first:
            self._fetch_checkpoint(checkpoint, run=request.run)
        with CheckpointUpload(self._files, self._digest, checkpoint) if self._first else nullcontext():
            result = train(request, report, self._stop.is_set)
        write_whole(open_folder(f"file://{self._folder}"), _RESULT, event_to_json(result).encode())
        return result

    def _trained_before(self) -> RunResult | None:
        try:
            event = event_from_json((self._folder / _RESULT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return event if isinstance(event, RunResult) else None

    def _fetch_checkpoint(self, checkpoint: Path, *, run: str) -> None:
        """Take up the checkpoint of an earlier pod, unless there is one on this machine."""
        if checkpoint.exists():
            return
        checkpoint.parent.mkdir(exist_ok=True)
        if self._files.fetch_checkpoint(self._digest, checkpoint):
            _log.info("run %s goes on from a stored checkpoint", run, extra={"action": "train", "run": run})

    def _store(self, result: RunResult) -> RunResult:
        """Store a finished run; while the store does not answer, try again: a run may have taken hours."""
        pause, until = Backoff(1.0, 60.0), time.monotonic() + _STORE_S
        while True:
            try:
                return self._files.finish(self._digest, result)
            except OSError as error:
                now = time.monotonic()
                if now > until:
                    raise
                extra = {"action": "train", "run": result.run}
                _log.warning("the result could not be stored and is stored again: %s", error, extra=extra)
                if self._stop.wait(pause.fail(now)):
                    raise Cancelled(
                        "the run is finished, but was asked to stop before its artifact was stored"
                    ) from error
