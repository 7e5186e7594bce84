"""Tells what a version learned from, record by record, and makes its training set again."""

import hashlib
from dataclasses import dataclass, field

from daemon.dataset import training_line
from daemon.errors import DaemonError
from daemon.facts import Coordinates, TrainingRecord
from daemon.stores import Stores
from registry.names import VersionName


class NothingLearned(DaemonError):
    """The version is the bare base model: it learned from nothing of ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionLineage:
    """The records of one version's run, in the order of its training file."""

    version: VersionName
    parent: VersionName | None  # what it learned before is the parent's lineage
    run: str
    data_digest: str
    records: tuple[TrainingRecord, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a rebuilt training set compares with the one that was learned from."""

    equal: bool
    digest: str
    erased: int  # records that were forgotten since
    missing: tuple[Coordinates, ...]  # records that the ledger no longer holds
    changed: tuple[Coordinates, ...]  # records whose digest is another


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebuilt:
    """A training set made again."""

    outcome: Outcome
    content: bytes = field(repr=False)


def lineage_of(stores: Stores, name: VersionName) -> VersionLineage:
    """Return what a version learned from. Raises VersionNotFound, NothingLearned."""
    version = stores.versions.version(name)
    if version.run is None:
        raise NothingLearned(f"{name} is the base model as it came: it learned from no record")
    return VersionLineage(
        version=name,
        parent=version.lineage.parent,
        run=version.run,
        data_digest=version.lineage.data_digest,
        records=stores.trainings.training_records(version.run),
    )


def rebuilt(stores: Stores, found: VersionLineage) -> Rebuilt:
    """Make the training set again from the ledger, and compare it."""
    talks = stores.conversations.at([record.at for record in found.records if not record.erased])
    lines, missing, changed = [], [], []
    for record in found.records:
        talk = talks.get(record.at)
        if record.erased:
            continue
        if talk is None:
            missing.append(record.at)
        elif talk.record_sha256 != record.sha256:
            changed.append(record.at)
        else:
            lines.append(training_line(talk, record.origin))
    content = b"".join(lines)
    digest = hashlib.sha256(content).hexdigest()
    outcome = Outcome(
        equal=digest == found.data_digest,
        digest=digest,
        erased=sum(record.erased for record in found.records),
        missing=tuple(missing),
        changed=tuple(changed),
    )
    return Rebuilt(outcome=outcome, content=content)
