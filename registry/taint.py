"""Tells which versions learned, by themselves or through a parent, from what was forgotten since."""

from collections.abc import Collection, Sequence

from registry.errors import RegistryError
from registry.names import VersionName
from registry.types import Version


class Tainted(RegistryError):
    """The version learned from what was forgotten since; it goes live by force only."""

    def __init__(self, name: VersionName, clean: VersionName | None) -> None:
        instead = f"{clean} is the newest that did not" if clean else "train a new one"
        super().__init__(
            f"{name} learned from records that were forgotten since; {instead}. `--force` overrules this, and is "
            "recorded"
        )


def tainted(versions: Sequence[Version], runs: Collection[str]) -> frozenset[VersionName]:
    """Return the versions made by these runs, and all that went on learning from one of them."""
    found: set[VersionName] = set()
    for version in sorted(versions, key=lambda version: version.name):
        if version.run in runs or version.lineage.parent in found:
            found.add(version.name)
    return frozenset(found)


def newest_clean(line: Sequence[VersionName], marked: Collection[VersionName]) -> VersionName | None:
    """Return the newest version of those that led to the live one, the live one included, that is not tainted."""
    return next((name for name in reversed(line) if name not in marked), None)
