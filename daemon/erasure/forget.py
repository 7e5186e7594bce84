"""Erases a user or a conversation from the ledger and the training files, and finds the versions that it taints."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from daemon.domain.clock import Clock
from daemon.jobs.files import JobFiles
from daemon.jobs.leftovers import erase_data
from daemon.ledger.erasures import Erasure, ErasureLedger, Removed, Subject
from daemon.ledger.stores import Stores
from daemon.ledger.user_shares import count_without_user
from registry.names import VersionName
from registry.taint import newest_clean, tainted


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """What was removed, and which versions are tainted."""

    removed: Removed
    entry: Erasure
    files: tuple[Path, ...]  # training files that were deleted on this machine
    jobs: tuple[str, ...]  # digests of the jobs whose training files were deleted from the artifact store
    tainted: tuple[VersionName, ...]  # by this erasure or an earlier one
    live: VersionName | None
    clean: VersionName | None  # the newest version that learned from no erased record
    #: Conversations that remain and name no user: some may be of the user who was to be forgotten. 0 for a conversation.
    without_user: int = 0

    @property
    def found(self) -> bool:
        """Return whether anything of the subject was there."""
        counts = self.removed
        return bool(
            counts.conversations
            or counts.feedback
            or counts.dead_letters
            or counts.reports
            or counts.training_records
            or self.files
            or self.jobs
        )


def subject_of(stores: Stores, *, user: str | None, conversation: str | None) -> Subject:
    """Return the subject of an erasure, with its keyed hash. Give either a user or a conversation."""
    if user is not None:
        return Subject(kind="user", id=user, hash=stores.holdout.user_hash(user))
    if conversation is None:
        raise ValueError("give a user or a conversation")
    return Subject(kind="conversation", id=conversation, hash=stores.holdout.conversation_hash(conversation))


def forget(
    stores: Stores,
    subject: Subject,
    *,
    model_line: str,
    runs_dir: Path,
    jobs: JobFiles,
    by: str,
    why: str,
    clock: Clock,
) -> Forgotten:
    """Erase a subject, first from the ledger. After an interruption, repeat it to complete the erasure.

    Raises OSError where the artifact store can't be reached.
    """
    removed, entry = stores.erasures.erase(subject, by=by, why=why, now=clock())
    swept = TrainingFiles(stores.erasures, runs_dir, jobs, model_line=model_line).sweep()
    history = stores.versions.history(model_line)
    tainted_versions = tainted(stores.versions, model_line, stores.erasures.runs_with_erased_records())
    return Forgotten(
        removed=removed,
        entry=entry,
        files=swept.files,
        jobs=swept.jobs,
        tainted=tuple(sorted(tainted_versions)),
        live=history.live,
        clean=newest_clean(history.line, tainted_versions),
        without_user=count_without_user(stores.engine) if subject.kind == "user" else 0,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Swept:
    """The training files that were deleted."""

    files: tuple[Path, ...] = ()  # on this machine
    jobs: tuple[str, ...] = ()  # digests of the jobs whose files were in the artifact store


class TrainingFiles:
    """The training files of runs on this machine, which each replica sweeps by itself, and those of jobs."""

    def __init__(self, erasures: ErasureLedger, runs_dir: Path, jobs: JobFiles, *, model_line: str) -> None:
        self._erasures = erasures
        self._runs_dir = runs_dir
        self._jobs = jobs
        self._model_line = model_line
        self._seen: int | None = None  # number of erasures as of the last sweep

    def sweep(self) -> Swept:
        """Delete the files of runs that learned from erased records, if there was an erasure since the last sweep.

        `retuned lineage --rebuild` makes them again without the erased records. Raises OSError where the artifact store can't
        be reached; then the next sweep repeats it.
        """
        count = self._erasures.count()
        if count == self._seen:
            return Swept()
        runs = self._erasures.runs_with_erased_records()
        files = _files_of(self._runs_dir, runs)
        for file in files:
            file.unlink(missing_ok=True)  # another process may sweep, too
        jobs = erase_data(self._jobs, self._model_line, runs) if runs else ()
        self._seen = count
        return Swept(files=files, jobs=jobs)


def _files_of(runs_dir: Path, runs: Collection[str]) -> tuple[Path, ...]:
    folders = [runs_dir / run for run in sorted(runs)]
    return tuple(file for folder in folders for file in sorted(folder.glob("*data.jsonl*")))
