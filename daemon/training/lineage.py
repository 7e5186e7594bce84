"""The lineage of a version: the records that it learned from."""

from dataclasses import dataclass

from daemon.domain.errors import DaemonError
from daemon.domain.runs import TrainingRecord
from daemon.ledger.stores import Stores
from registry.names import VersionName


class NothingLearned(DaemonError):
    """The version is the bare base model: it learned from no record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionLineage:
    """The records of one version's run, in the order of its training file."""

    version: VersionName
    parent: VersionName | None  # its lineage holds what was learned before
    run: str
    data_digest: str
    records: tuple[TrainingRecord, ...]


def lineage_of(stores: Stores, name: VersionName) -> VersionLineage:
    """Return what a version learned from. Raises VersionNotFound, NothingLearned."""
    version = stores.versions.version(name)
    if version.run is None:
        raise NothingLearned(f"{name} is the bare base model: it learned from no record")
    return VersionLineage(
        version=name,
        parent=version.lineage.parent,
        run=version.run,
        data_digest=version.lineage.data_digest,
        records=stores.runs.training_records(version.run),
    )
