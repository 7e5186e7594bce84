"""Derives the live version of a model line from its promotion log, and checks that the log is unaltered."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass

from registry.codec import promotion_to_json
from registry.errors import RegistryError
from registry.names import VersionName
from registry.types import Promotion, PromotionKind


class BrokenChain(RegistryError):
    """An entry of the log does not follow from the one before: the log was altered. Restore the ledger from a backup."""


def entry_digest(entry: Promotion) -> str:
    """Return the sha256 of an entry's canonical JSON; the next entry carries it."""
    canonical = json.dumps(promotion_to_json(entry), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """All promotion entries of one model line, oldest first."""

    model_line: str
    entries: tuple[Promotion, ...] = ()

    @property
    def position(self) -> int:
        """The newest entry's position; 0 for an empty log."""
        return len(self.entries)

    @property
    def head(self) -> str:
        """The digest that the next entry has to carry."""
        return entry_digest(self.entries[-1]) if self.entries else ""

    @property
    def line(self) -> tuple[VersionName, ...]:
        """The versions that led to the live one, which is the last.

        A promotion adds its version; a rollback cuts the line back to its version. So two rollbacks in a row walk
        two versions back and never bounce between the same pair. Raises BrokenChain.
        """
        return tuple(_live_line(self).versions)

    @property
    def live(self) -> VersionName | None:
        """The live version; None before the first entry."""
        return self.entries[-1].version if self.entries else None


def check_next(history: History, entry: Promotion) -> None:
    """Check that an entry can follow a history. Raises BrokenChain naming the position and what is wrong."""
    last = history.entries[-1] if history.entries else None
    _check(history.model_line, _live_line(history), last, entry)


def verify(history: History) -> None:
    """Check the whole log in one pass. Raises BrokenChain naming the first position that is wrong.

    A log whose newest entries were cut off, or whose last entry alone was altered, can't be told from a whole one.
    """
    line, last = _LiveLine(history.model_line), None
    for entry in history.entries:
        _check(history.model_line, line, last, entry)
        line.follow(entry)
        last = entry


class _LiveLine:
    """The versions that led to the live one, entry by entry. Following n entries takes time in proportion to n."""

    def __init__(self, model_line: str) -> None:
        self.versions: list[VersionName] = []
        self.entries = 0
        self._model_line = model_line
        self._counts: Counter[VersionName] = Counter()

    def follow(self, entry: Promotion) -> None:
        """Apply the next entry. Raises BrokenChain where it returns to a version that was not live before."""
        self.entries += 1
        if entry.kind is not PromotionKind.ROLLBACK:
            self.versions.append(entry.version)
            self._counts[entry.version] += 1
            return
        while self.versions and self.versions[-1] != entry.version:
            self._counts[self.versions.pop()] -= 1
        if not self.versions:
            raise BrokenChain(
                f"{self._model_line}: entry {entry.position} returns to {entry.version}, which was not live "
                "before; restore a backup of the ledger"
            )

    def has_before_live(self, version: VersionName) -> bool:
        """Say whether the line has this version somewhere before the live one."""
        is_live = bool(self.versions) and self.versions[-1] == version
        return self._counts[version] > is_live


def _live_line(history: History) -> _LiveLine:
    line = _LiveLine(history.model_line)
    for entry in history.entries:
        line.follow(entry)
    return line


def _check(model_line: str, line: _LiveLine, last: Promotion | None, entry: Promotion) -> None:
    live = last.version if last else None
    position = line.entries + 1
    first, rollback = entry.kind is PromotionKind.BOOTSTRAP, entry.kind is PromotionKind.ROLLBACK
    wrong = {
        "belongs to another model line": {entry.model_line, entry.version.line} != {model_line},
        "is missing or out of place": entry.position != position,
        "does not carry the digest of the one before": entry.previous_digest
        != (entry_digest(last) if last else ""),
        "names another version before it": entry.previous != live,
        "starts a line that has begun": first and bool(line.versions),
        "goes on with a line that has not begun": not first and not line.versions,
        "puts live what is live": entry.version == live,
        "returns to a version that was not live before": rollback and not line.has_before_live(entry.version),
    }
    if found := [what for what, is_so in wrong.items() if is_so]:
        raise BrokenChain(f"{model_line}: entry {position} {found[0]}; restore a backup of the ledger")
