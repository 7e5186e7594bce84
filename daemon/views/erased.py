"""Which of the versions that matter now learned from records that were erased since."""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.ledger.stores import Stores
from registry.names import VersionName
from registry.taint import newest_clean, tainted


@dataclass(frozen=True, kw_only=True, slots=True)
class TaintedNow:
    """The live version and the candidate, as far as they learned from erased records."""

    versions: tuple[VersionName, ...] = ()
    clean: VersionName | None = None  # the newest earlier version of the line that did not

    def __contains__(self, name: object) -> bool:
        return name in self.versions


def tainted_now(stores: Stores, model_line: str, names: Sequence[VersionName]) -> TaintedNow:
    """Look at these versions. Reads no training records unless something was ever erased."""
    if not names or not stores.erasures.count():
        return TaintedNow()
    found = tainted(stores.versions, model_line, stores.erasures.runs_with_erased_records())
    among = tuple(name for name in names if name in found)
    if not among:
        return TaintedNow()
    return TaintedNow(versions=among, clean=newest_clean(stores.versions.history(model_line).line, found))
