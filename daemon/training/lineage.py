"""The lineage of a version: the records that it learned from."""

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.domain.errors import DaemonError
from daemon.domain.runs import TrainingRecord
from daemon.ledger.stores import Stores
from registry.names import VersionName


class NothingLearned(DaemonError):
    """The version is the bare base model: it learned from no record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionLineage:
    """What one version learned from."""

    version: VersionName
    parent: VersionName | None  # its lineage holds what was learned before
    run: str
    data_digest: str
    records: tuple[TrainingRecord, ...]  # that it learned from, in the order of the training file
    skipped: Mapping[
        int, TrainingRecord
    ]  # that it did not learn from, by their place among all records, from 0

    @property
    def all_records(self) -> tuple[TrainingRecord, ...]:
        """The records of the whole training file, in its order."""
        learned = iter(self.records)
        count = len(self.records) + len(self.skipped)
        return tuple(
            self.skipped[number] if number in self.skipped else next(learned) for number in range(count)
        )


def lineage_of(stores: Stores, name: VersionName) -> VersionLineage:
    """Return what a version learned from. Raises VersionNotFound, NothingLearned."""
    version = stores.versions.version(name)
    if version.run is None:
        raise NothingLearned(f"{name} is the bare base model: it learned from no record")
    lines = stores.runs.training_records(version.run)
    return VersionLineage(
        version=name,
        parent=version.lineage.parent,
        run=version.run,
        data_digest=version.lineage.data_digest,
        records=tuple(line for line in lines if line.skipped is None),
        skipped={number: line for number, line in enumerate(lines) if line.skipped is not None},
    )
