"""The files of jobs in the artifact store.

``jobs/<digest>/`` holds, in the order in which they are written::

    run.json       by the daemon: the model line and the run, so that the data of every run can be found and erased
    data.jsonl     by the daemon: the training file, with text of conversations
    request.json   by the daemon: the job exists from now on; its SHA-256 is <digest>
    checkpoint/    by the pod, now and then: the newest checkpoint, named by its SHA-256
    artifact/      by the pod: the artifact of a finished run, as the artifact store keeps those of versions
    result.json    by the pod, at last: the event that ended the run

Object stores can't rename: a file is there as a whole once it is there, and the last one of each side says that all
others are. No file is ever changed.
"""

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from daemon.jobs.errors import AlteredJob, NoJobData, NoSuchJob
from daemon.jobs.request import ARTIFACT, DATA, JobRequest, StoredParent, digest_of, from_json, to_json
from learners.codec import event_from_json, event_to_json
from learners.types import Failure, Progress, RunResult
from registry.artifacts import FsspecArtifactStore
from registry.file_systems import OpenedFolder, copy_whole, open_folder, write_whole
from registry.manifest import WrongDigest, read_folder

JobEnd: TypeAlias = RunResult | Failure

_JOBS = "jobs"
_RUN, _REQUEST, _RESULT, _CHECKPOINT = "run.json", "request.json", "result.json", "checkpoint"
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredJob:
    """A job that has files in the store, be it complete or not."""

    digest: str
    model_line: str | None  # None: unknown, as its files were deleted but for some
    run: str | None


class JobFiles:
    """Reads and writes the files of jobs. Every method may raise OSError if the store can't be reached."""

    def __init__(self, url: str, *, cache: Path) -> None:
        """``url`` is the artifact store's; ``cache`` is a local folder for copies of its artifacts."""
        self._url = url
        self._artifacts = FsspecArtifactStore(url, cache=cache)

    @cached_property
    def _root(self) -> OpenedFolder:
        return open_folder(self._url)

    def publish(self, job: JobRequest, data: Path) -> str:
        """Store a job with its training file; return its digest. Publishing it again completes it or changes nothing."""
        content = to_json(job)
        digest = digest_of(content)
        folder = self._folder(digest)
        if not self._exists(digest):
            owner = {"model_line": job.model_line, "run": job.request.run}
            write_whole(folder, _RUN, json.dumps(owner).encode() + b"\n")
            copy_whole(folder, DATA, data)
            write_whole(folder, _REQUEST, content)
        return digest

    def request(self, digest: str) -> JobRequest:
        """Return a job's request. Raises NoSuchJob or AlteredJob."""
        content = self._read(digest, _REQUEST)
        if content is None:
            raise NoSuchJob(
                f"{self._url} has no job {digest[:12]}: it was deleted, or this is not the artifact store of the daemon"
            )
        return from_json(content, digest=digest)

    def fetch_data(self, digest: str, job: JobRequest, file: Path) -> None:
        """Write a job's training file to ``file``. Raises NoJobData or AlteredJob."""
        folder = self._folder(digest)
        try:
            folder.fs.get_file(f"{folder.path}/{DATA}", str(file))
        except FileNotFoundError as error:
            raise NoJobData(
                f"job {digest[:12]} has no {DATA} any more: a user of it was forgotten; plan the training again"
            ) from error
        found, expected = _sha256(file), job.request.data_digest
        if found != expected:
            raise AlteredJob(
                f"{DATA} of job {digest[:12]} has SHA-256 {found[:12]}, its request says {expected[:12]}: "
                "damaged or tampered with"
            )

    def fetch_parent(self, parent: StoredParent) -> Path:
        """Check the adapter that a job continues from; return a local folder with it. Raises BadArtifact."""
        return self._artifacts.fetch(parent.artifact, parent.digest)

    def end_of(self, digest: str) -> JobEnd | None:
        """Return how a job ended; None if it has not, or there is no such job. Raises AlteredJob.

        The artifact of a RunResult is its place in the store, see ``fetch_artifact``.
        """
        content = self._read(digest, _RESULT)
        if content is None:
            return None
        try:
            event = event_from_json(content.decode())
        except ValueError as error:
            raise AlteredJob(f"{_RESULT} of job {digest[:12]} can't be read: {error}") from error
        if isinstance(event, Progress):
            raise AlteredJob(f"{_RESULT} of job {digest[:12]} says that it goes on; delete the job")
        return event

    def finish(self, digest: str, result: RunResult) -> RunResult:
        """Store the artifact of a run, then its result; return the result that ``end_of`` returns. Raises BadArtifact."""
        stored = self._artifacts.put_in(result.artifact, f"{_JOBS}/{digest}/{ARTIFACT}")
        placed = replace(result, artifact=Path(stored.url))
        self._end(digest, placed)
        return placed

    def fail(self, digest: str, failure: Failure) -> None:
        """Store that a run failed, and would fail again. A deleted job gets no end."""
        self._end(digest, failure)

    def fetch_artifact(self, result: RunResult, output: Path) -> RunResult:
        """Copy the artifact of a finished job to the folder ``output``, which is complete or absent, and check every file.

        Return the result with that folder. Raises BadArtifact.
        """
        if not output.exists():
            found = self._artifacts.fetch(str(result.artifact), result.digest)
            scratch = output.with_name(f".{output.name}.{uuid.uuid4().hex}")
            try:
                shutil.copytree(found, scratch)
                scratch.rename(output)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        if (copied := read_folder(output).digest) != result.digest:
            raise WrongDigest(
                f"{output} has digest {copied[:12]}, the job's result says {result.digest[:12]}"
            )
        return replace(result, artifact=output)

    def put_checkpoint(self, digest: str, file: Path) -> None:
        """Store a checkpoint in place of the one before. A deleted job gets none."""
        folder = self._folder(digest)
        if not self._exists(digest):
            return
        checkpoints = folder._replace(path=f"{folder.path}/{_CHECKPOINT}")
        name = _sha256(file)
        copy_whole(checkpoints, name, file)
        for other in _names(checkpoints):
            if other != name:
                _remove(checkpoints, other)

    def fetch_checkpoint(self, digest: str, file: Path) -> bool:
        """Write the job's checkpoint to ``file``; return whether there is a whole one."""
        folder = self._folder(digest)
        checkpoints = folder._replace(path=f"{folder.path}/{_CHECKPOINT}")
        for name in _names(checkpoints):
            with suppress(FileNotFoundError):  # replaced by another pod's meanwhile
                checkpoints.fs.get_file(f"{checkpoints.path}/{name}", str(file))
                if _sha256(file) == name:
                    return True
        file.unlink(missing_ok=True)
        return False

    def stored(self) -> Iterator[StoredJob]:
        """Yield every job that has a file in the store, complete or not."""
        root = self._root
        for digest in _names(root._replace(path=f"{root.path}/{_JOBS}")):
            if _DIGEST.fullmatch(digest):
                owner = self._owner(digest)
                if not owner and all(name.startswith(".") for name in _names(self._folder(digest))):
                    continue  # its first file is being written
                yield StoredJob(digest=digest, model_line=owner.get("model_line"), run=owner.get("run"))

    def delete_data(self, digest: str) -> bool:
        """Delete the training file of a job, which can't be started any more; return whether it was there."""
        folder = self._folder(digest)
        found = [name for name in _names(folder) if DATA in name]  # a copy that was cut short, too
        for name in found:
            _remove(folder, name)
        return bool(found)

    def delete(self, digest: str) -> None:
        """Delete all files of a job. Deleting one that is not there changes nothing."""
        folder = self._folder(digest)
        _remove(folder, _REQUEST)  # first: a pod that still runs stores no more checkpoints
        with suppress(FileNotFoundError):
            folder.fs.rm(folder.path, recursive=True)

    def _folder(self, digest: str) -> OpenedFolder:
        if not _DIGEST.fullmatch(digest):
            raise NoSuchJob(f"{digest!r} names no job: a name has 64 hexadecimal digits")
        return self._root._replace(path=f"{self._root.path}/{_JOBS}/{digest}")

    def _exists(self, digest: str) -> bool:
        folder = self._folder(digest)
        return bool(folder.fs.exists(f"{folder.path}/{_REQUEST}"))

    def _read(self, digest: str, name: str) -> bytes | None:
        folder = self._folder(digest)
        try:
            return bytes(folder.fs.cat_file(f"{folder.path}/{name}"))
        except FileNotFoundError:
            return None

    def _owner(self, digest: str) -> dict[str, str]:
        content = self._read(digest, _RUN)
        with suppress(ValueError):
            owner = json.loads(content or b"{}")
            if isinstance(owner, dict):
                return {str(name): str(value) for name, value in owner.items()}
        return {}

    def _end(self, digest: str, end: JobEnd) -> None:
        if self._exists(digest):
            write_whole(self._folder(digest), _RESULT, event_to_json(end).encode() + b"\n")


def _names(folder: OpenedFolder) -> list[str]:
    """Return the names of what is in a folder; none if it is not there."""
    try:
        found = folder.fs.ls(folder.path, detail=False)
    except FileNotFoundError:
        return []
    return sorted(str(path).rstrip("/").rsplit("/", 1)[-1] for path in found)


def _remove(folder: OpenedFolder, name: str) -> None:
    with suppress(FileNotFoundError):
        folder.fs.rm_file(f"{folder.path}/{name}")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
