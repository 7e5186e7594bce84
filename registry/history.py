"""Folds the promotion log of a model line into what is live, and checks that the log is whole."""

import hashlib
import json
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
        line: list[VersionName] = []
        for entry in self.entries:
            if entry.kind is PromotionKind.ROLLBACK:
                while line and line[-1] != entry.version:
                    line.pop()
                if not line:
                    raise BrokenChain(
                        f"{self.model_line}: entry {entry.position} returns to {entry.version}, which was not live "
                        "before; restore a backup of the ledger"
                    )
            else:
                line.append(entry.version)
        return tuple(line)

    @property
    def live(self) -> VersionName | None:
        """The version that is live; None before the first entry."""
        return self.entries[-1].version if self.entries else None


def check_next(history: History, entry: Promotion) -> None:
    """Check that an entry can follow a history. Raises BrokenChain naming the position and what is wrong."""
    line = history.line
    wrong = {
        "belongs to another model line": {entry.model_line, entry.version.line} != {history.model_line},
        "is missing or out of place": entry.position != history.position + 1,
        "does not carry the digest of the one before": entry.previous_digest != history.head,
        "names another version before it": entry.previous != history.live,
        "starts a line that has begun": entry.kind is PromotionKind.BOOTSTRAP and bool(line),
        "goes on with a line that has not begun": entry.kind is not PromotionKind.BOOTSTRAP and not line,
        "puts live what is live": entry.version == history.live,
        "returns to a version that was not live before": entry.kind is PromotionKind.ROLLBACK
        and entry.version not in line[:-1],
    }
    if found := [what for what, is_so in wrong.items() if is_so]:
        raise BrokenChain(
            f"{history.model_line}: entry {history.position + 1} {found[0]}; restore a backup of the ledger"
        )


def verify(history: History) -> None:
    """Check the whole log, entry by entry. Raises BrokenChain naming the first position that is wrong.

    A log whose newest entries were cut off, or whose last one alone was altered, can't be told from a whole one.
    """
    for position, entry in enumerate(history.entries):
        check_next(History(model_line=history.model_line, entries=history.entries[:position]), entry)
