"""Follows a version back to the ones that it continues from."""

from collections.abc import Callable, Iterator

from registry.names import VersionName
from registry.store import Ancestry, Store


def walk_back(name: VersionName | None, read: Callable[[VersionName], Ancestry]) -> Iterator[Ancestry]:
    """Yield a version, its parent, the parent's parent, and so on. Each is read when it is asked for.

    A parent has a lower number than its child, so the walk ends.
    """
    while name is not None:
        found = read(name)
        yield found
        name = found.parent if found.parent is not None and found.parent < name else None


def one_by_one(store: Store) -> Callable[[VersionName], Ancestry]:
    """Return a reader for a walk that ends soon. Raises VersionNotFound."""

    def read(name: VersionName) -> Ancestry:
        version = store.version(name)
        return Ancestry(name, version.run, version.lineage.parent)

    return read


def all_at_once(store: Store, model_line: str) -> Callable[[VersionName], Ancestry]:
    """Return a reader for a walk that may be long: its first step reads where all versions came from."""
    known: dict[VersionName, Ancestry] = {}

    def read(name: VersionName) -> Ancestry:
        if not known:
            known.update({found.name: found for found in store.ancestry(model_line)})
        return known[name]

    return read
