"""Forgets a user or a conversation: in the ledger, in the files of runs; and says what learned from them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from daemon.clock import Clock
from daemon.ledger.erasures import Erasure, Removed, Subject
from daemon.stores import Stores
from daemon.taint import newest_clean, tainted
from registry.names import VersionName


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
    files = _delete_training_files(runs_dir, stores.erasures.runs_with_erased_records())
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


def _delete_training_files(runs_dir: Path, runs: Iterable[str]) -> tuple[Path, ...]:
    """Delete the runs' copies of what they learned from; `retuned lineage --rebuild` can make what is left of them."""
    found = [file for run in sorted(runs) if (file := runs_dir / run / "data.jsonl").exists()]
    for file in found:
        file.unlink()
    return tuple(found)
