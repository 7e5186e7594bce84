"""Folds the promotion log of a model line into what is live, and checks that the log is whole."""

import hashlib
import json
from dataclasses import dataclass

from registry.codec import promotion_to_json
from registry.errors import RegistryError
from registry.names import VersionName
from registry.types import Promotion, PromotionKind


class BrokenChain(RegistryError):
    """The log was altered: an entry does not follow from the one before. Restore the ledger from a backup."""


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
        two versions back and never bounce between the same pair.
        """
        line: list[VersionName] = []
        for entry in self.entries:
            if entry.kind is PromotionKind.ROLLBACK:
                while line and line[-1] != entry.version:
                    line.pop()
                line = line or [entry.version]
            else:
                line.append(entry.version)
        return tuple(line)

    @property
    def live(self) -> VersionName | None:
        """The version that is live; None before the first entry."""
        return self.entries[-1].version if self.entries else None


def verify(history: History) -> None:
    """Check positions, predecessors and digests of the whole log. Raises BrokenChain naming the position."""
    digest, previous = "", None
    for position, entry in enumerate(history.entries, start=1):
        if entry.position != position or entry.model_line != history.model_line:
            raise BrokenChain(
                f"{history.model_line}: entry {position} is missing or out of place; restore a backup"
            )
        if entry.previous != previous or entry.previous_digest != digest:
            raise BrokenChain(
                f"{history.model_line}: entry {position} does not follow from the one before; restore a backup"
            )
        digest, previous = entry_digest(entry), entry.version
