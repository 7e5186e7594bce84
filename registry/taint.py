"""Finds tainted versions: those that learned from records erased since, directly or through a parent."""

from collections.abc import Collection, Sequence

from registry.errors import RegistryError
from registry.names import VersionName
from registry.store import Store


class Tainted(RegistryError):
    """The version learned from records erased since; it goes live only if an operator says so by name."""

    def __init__(self, name: VersionName, clean: VersionName | None, *, overrule: str) -> None:
        """``overrule`` is the command that puts it live all the same."""
        alternative = (
            f"{clean} is the newest version that did not" if clean else "train one: `retuned train -m REASON`"
        )
        super().__init__(
            f"{name} learned from records that were erased since; {alternative}. {overrule} overrules this and is recorded"
        )


def tainted(store: Store, model_line: str, runs: Collection[str]) -> frozenset[VersionName]:
    """Return the versions that these runs made, and all their descendants."""
    names: set[VersionName] = set()
    for name, run, parent in store.ancestry(model_line) if runs else ():
        if run in runs or parent in names:
            names.add(name)
    return frozenset(names)


def newest_clean(line: Sequence[VersionName], tainted_names: Collection[VersionName]) -> VersionName | None:
    """Return the newest version of ``History.line`` that is not tainted; None if all are."""
    return next((name for name in reversed(line) if name not in tainted_names), None)
