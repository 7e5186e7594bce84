"""Derives the live version of a model line from its promotion log, and verifies the log's digest chain."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from registry.codec import Document, stored_promotion_to_json
from registry.errors import RegistryError
from registry.names import VersionName
from registry.types import Promotion, PromotionKind


class BrokenChain(RegistryError):
    """An entry does not follow from the one before, so the log was altered. Restore the ledger from a backup."""


def entry_digest(entry: Promotion) -> str:
    """Return the SHA-256 of an entry's canonical JSON; the next entry stores it as ``previous_digest``."""
    return document_digest(stored_promotion_to_json(entry))


def document_digest(document: Document) -> str:
    """Return the digest of an entry, given its document."""
    return hashlib.sha256(_canonical(document).encode("ascii")).hexdigest()


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


class Link(Protocol):
    """What an entry says that must fit the entries before it."""

    @property
    def model_line(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def kind(self) -> PromotionKind: ...
    @property
    def version(self) -> VersionName: ...
    @property
    def previous(self) -> VersionName | None: ...
    @property
    def previous_digest(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """All promotion entries of one model line, oldest first."""

    model_line: str
    entries: tuple[Promotion, ...] = ()

    @property
    def position(self) -> int:
        """The position of the newest entry; 0 for an empty log."""
        return len(self.entries)

    @property
    def head(self) -> str:
        """The ``previous_digest`` that the next entry must have."""
        return entry_digest(self.entries[-1]) if self.entries else ""

    @property
    def line(self) -> tuple[VersionName, ...]:
        """The live version, which is last, after the versions that a rollback can return to, oldest first.

        A promotion appends its version. A rollback removes every version after the one it returns to, so two
        rollbacks in a row go two versions back. Raises BrokenChain.
        """
        return tuple(_live_line(self).versions)

    @property
    def live(self) -> VersionName | None:
        """The live version; None before the first entry."""
        return self.entries[-1].version if self.entries else None


@dataclass(frozen=True, slots=True)
class LogStep:
    """What views need of an entry that is no rollback: large logs are read faster without the rest."""

    position: int
    version: VersionName
    automatic: bool  # a promotion by the daemon


#: Entries of a log for those who ask what was rolled back. Each rollback among them is whole.
Step: TypeAlias = Promotion | LogStep


def rolled_back(steps: Iterable[Step]) -> dict[VersionName, Promotion]:
    """Return the versions that a rollback left and that have not gone live since, with the newest rollback of each."""
    marks: dict[VersionName, Promotion] = {}
    line: list[VersionName] = []
    for step in steps:
        if isinstance(step, Promotion) and step.kind is PromotionKind.ROLLBACK:
            while line and line[-1] != step.version:
                marks[line.pop()] = step
        else:
            line.append(step.version)
        marks.pop(step.version, None)
    return marks


def check_next(history: History, entry: Promotion) -> None:
    """Check that an entry can follow a history. Raises BrokenChain with the position and the mismatch."""
    _live_line(history).check(entry, digest=history.head)


def verify(history: History) -> None:
    """Check the whole log in one pass. Raises BrokenChain with the first position that is wrong.

    The check can't detect that the newest entries were removed, or that only the last entry was altered.
    """
    line, last = LiveLine(history.model_line), None
    for entry in history.entries:
        line.check(entry, digest=entry_digest(last) if last else "")
        line.follow(entry)
        last = entry


class LiveLine:
    """Computes ``History.line`` entry by entry, in time linear in the number of entries."""

    def __init__(self, model_line: str) -> None:
        self.versions: list[VersionName] = []
        self.entries = 0
        self._model_line = model_line
        self._counts: Counter[VersionName] = Counter()

    def check(self, entry: Link, *, digest: str) -> None:
        """Raise BrokenChain if an entry can't come next; ``digest`` is that of the entry before it."""
        position = self.entries + 1
        first, rollback = entry.kind is PromotionKind.BOOTSTRAP, entry.kind is PromotionKind.ROLLBACK
        live = self.versions[-1] if self.versions else None
        problems = {
            "belongs to another model line": {entry.model_line, entry.version.line} != {self._model_line},
            "is missing or out of place": entry.position != position,
            "does not have the digest of the entry before it": entry.previous_digest != digest,
            "does not name the version that was live before it": entry.previous != live,
            "is a bootstrap, but the line has a live version": first and live is not None,
            "is not a bootstrap, but the line has no live version": not first and live is None,
            "is for the version that is live already": entry.version == live,
            "rolls back to a version that was not live before": rollback
            and not self.has_before_live(entry.version),
        }
        if present := [problem for problem, is_present in problems.items() if is_present]:
            raise BrokenChain(
                f"{self._model_line}: entry {position} {present[0]}; restore a backup: `retuned restore FILE --yes`"
            )

    def follow(self, entry: Link) -> None:
        """Apply the next entry. Raises BrokenChain if it rolls back to a version that was not live before."""
        self.entries += 1
        if entry.kind is not PromotionKind.ROLLBACK:
            self.versions.append(entry.version)
            self._counts[entry.version] += 1
            return
        while self.versions and self.versions[-1] != entry.version:
            self._counts[self.versions.pop()] -= 1
        if not self.versions:
            raise BrokenChain(
                f"{self._model_line}: entry {entry.position} rolls back to {entry.version}, which was not "
                "live before; restore a backup: `retuned restore FILE --yes`"
            )

    def has_before_live(self, version: VersionName) -> bool:
        """Return whether a version precedes the live one in the line."""
        is_live = bool(self.versions) and self.versions[-1] == version
        return self._counts[version] > is_live


def _live_line(history: History) -> LiveLine:
    line = LiveLine(history.model_line)
    for entry in history.entries:
        line.follow(entry)
    return line
