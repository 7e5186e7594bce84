"""Forgets a user or a conversation: in the ledger, in the files of runs; and says what learned from them."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from daemon.domain.clock import Clock
from daemon.ledger.erasures import Erasure, ErasureLedger, Removed, Subject
from daemon.ledger.stores import Stores
from registry.names import VersionName
from registry.taint import newest_clean, tainted


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """What was removed, and which versions are the worse for it."""

    removed: Removed
    entry: Erasure
    files: tuple[Path, ...]  # training files that were deleted
    tainted: tuple[VersionName, ...]  # by this or an earlier erasure
    live: VersionName | None
    clean: VersionName | None  # the newest version of the line that learned from nothing forgotten


def subject_of(stores: Stores, *, user: str | None, conversation: str | None) -> Subject:
    """Name the subject by its keyed hash. One of the two must be given."""
    if user is not None:
        return Subject(kind="user", id=user, hash=stores.holdout.user_hash(user))
    if conversation is None:
        raise ValueError("neither a user nor a conversation")
    return Subject(kind="conversation", id=conversation, hash=stores.holdout.conversation_hash(conversation))


def forget(
    stores: Stores, subject: Subject, *, model_line: str, runs_dir: Path, by: str, why: str, clock: Clock
) -> Forgotten:
    """Erase a subject. The ledger comes first: whatever stops this half-way, saying it again ends it."""
    removed, entry = stores.erasures.erase(subject, by=by, why=why, now=clock())
    files = TrainingFiles(stores.erasures, runs_dir).sweep()
    history = stores.versions.history(model_line)
    marked = tainted(stores.versions.versions(model_line), stores.erasures.runs_with_erased_records())
    return Forgotten(
        removed=removed,
        entry=entry,
        files=files,
        tainted=tuple(sorted(marked)),
        live=history.live,
        clean=newest_clean(history.line, marked),
    )


class TrainingFiles:
    """The copies, on this machine, of what runs learned from. Other replicas have theirs, and sweep them themselves."""

    def __init__(self, erasures: ErasureLedger, runs_dir: Path) -> None:
        self._erasures = erasures
        self._runs_dir = runs_dir
        self._seen: int | None = None  # erasures that were followed

    def sweep(self) -> tuple[Path, ...]:
        """Delete the files of runs that learned from what is forgotten, if there was an erasure since the last sweep.

        `retuned lineage --rebuild` makes what is left of them.
        """
        count = self._erasures.count()
        if count == self._seen:
            return ()
        found = _copies(self._runs_dir, self._erasures.runs_with_erased_records())
        for file in found:
            file.unlink(missing_ok=True)  # another process may be sweeping
        self._seen = count
        return found


def _copies(runs_dir: Path, runs: Collection[str]) -> tuple[Path, ...]:
    folders = [runs_dir / run for run in sorted(runs)]
    return tuple(file for folder in folders for file in sorted(folder.glob("*data.jsonl*")))
