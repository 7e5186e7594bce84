"""Tells what a version learned from, record by record, and makes its training set again."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from daemon.domain.clock import Clock
from daemon.domain.conversation import Message
from daemon.domain.errors import DaemonError
from daemon.domain.records import Coordinates
from daemon.domain.runs import TrainingRecord
from daemon.domain.streams import RawRecord, TopicPartition
from daemon.intake.router import Router
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.stores import Stores
from daemon.training.dataset import training_line
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
    missing: tuple[Coordinates, ...]  # records that are no longer there, or can't be read
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """A conversation where it still is."""

    sha256: str  # of its record
    conversation_id: str
    messages: tuple[Message, ...]


#: Looks up conversations where their records are.
Originals: TypeAlias = Callable[[Iterable[Coordinates]], Mapping[Coordinates, Original]]
#: Reads records by their offsets.
Fetch: TypeAlias = Callable[[Mapping[TopicPartition, Iterable[int]]], Iterable[RawRecord]]


def from_ledger(ledger: ConversationLedger) -> Originals:
    """Take conversations as the ledger keeps them."""

    def look(places: Iterable[Coordinates]) -> dict[Coordinates, Original]:
        return {
            at: Original(
                sha256=conversation.record_sha256,
                conversation_id=conversation.conversation_id,
                messages=conversation.messages,
            )
            for at, conversation in ledger.at(places).items()
        }

    return look


def from_topic(fetch: Fetch, sorter: Router, *, clock: Clock) -> Originals:
    """Read records from their topic again, through everything that intake does. The settings must be as they were."""

    def look(places: Iterable[Coordinates]) -> dict[Coordinates, Original]:
        wanted: dict[TopicPartition, list[int]] = {}
        for at in places:
            wanted.setdefault(TopicPartition(at.topic, at.partition), []).append(at.offset)
        return {
            new.at: Original(
                sha256=new.record_sha256,
                conversation_id=new.conversation.conversation_id,
                messages=new.conversation.messages,
            )
            for new in sorter.sort(fetch(wanted), clock()).conversations
        }

    return look


def rebuilt(found: VersionLineage, originals: Originals) -> Rebuilt:
    """Make the training set again, and compare it."""
    conversations = originals([record.at for record in found.records if not record.erased])
    lines, missing, changed = [], [], []
    for record in found.records:
        conversation = conversations.get(record.at)
        if record.erased:
            continue
        if conversation is None:
            missing.append(record.at)
        elif conversation.sha256 != record.sha256:
            changed.append(record.at)
        else:
            lines.append(training_line(conversation.conversation_id, conversation.messages, record.origin))
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
