"""Rebuilds the training set of a version from its lineage."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from daemon.domain.clock import Clock
from daemon.domain.conversation import JSON, Message
from daemon.domain.records import Coordinates
from daemon.domain.streams import RawRecord, TopicPartition
from daemon.intake.router import Router
from daemon.ledger.conversations import ConversationLedger
from daemon.training.dataset import training_line
from daemon.training.lineage import VersionLineage


@dataclass(frozen=True, kw_only=True, slots=True)
class RebuildReport:
    """How a rebuilt training set compares with the one that the version learned from."""

    equal: bool
    digest: str
    erased: int  # records that were erased since
    missing: tuple[Coordinates, ...]  # records that are gone, or can't be read
    changed: tuple[Coordinates, ...]  # records with another digest


@dataclass(frozen=True, kw_only=True, slots=True)
class RebuiltDataset:
    """A rebuilt training set."""

    report: RebuildReport
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceConversation:
    """A conversation, read again from where it is stored."""

    sha256: str  # of its record
    conversation_id: str
    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, JSON], ...]
    documents: tuple[Mapping[str, JSON], ...]


#: Reads the conversations of these records; those that are gone are left out.
ReadConversations: TypeAlias = Callable[[Iterable[Coordinates]], Mapping[Coordinates, SourceConversation]]
#: Reads records by their offsets.
FetchRecords: TypeAlias = Callable[[Mapping[TopicPartition, Iterable[int]]], Iterable[RawRecord]]


def from_ledger(ledger: ConversationLedger) -> ReadConversations:
    """Read conversations from the ledger."""

    def read(places: Iterable[Coordinates]) -> dict[Coordinates, SourceConversation]:
        return {
            at: SourceConversation(
                sha256=conversation.record_sha256,
                conversation_id=conversation.conversation_id,
                messages=conversation.messages,
                tools=conversation.tools,
                documents=conversation.documents,
            )
            for at, conversation in ledger.at(places).items()
        }

    return read


def from_topic(fetch: FetchRecords, router: Router, *, clock: Clock) -> ReadConversations:
    """Read records from their topic, through all steps of intake. The settings must be the same as they were then."""

    def read(places: Iterable[Coordinates]) -> dict[Coordinates, SourceConversation]:
        wanted: dict[TopicPartition, list[int]] = {}
        for at in places:
            wanted.setdefault(TopicPartition(at.topic, at.partition), []).append(at.offset)
        return {
            new.at: SourceConversation(
                sha256=new.record_sha256,
                conversation_id=new.conversation.conversation_id,
                messages=new.conversation.messages,
                tools=new.conversation.tools,
                documents=new.conversation.documents,
            )
            for new in router.route(fetch(wanted), clock()).batch.conversations
        }

    return read


def rebuild_dataset(lineage: VersionLineage, read: ReadConversations) -> RebuiltDataset:
    """Rebuild a version's training set, and compare it with the one that the version learned from."""
    left = [record for record in lineage.records if not record.erased]
    conversations = read([record.at for record in left])
    lines, missing, changed = [], [], []
    for record in left:
        conversation = conversations.get(record.at)
        if conversation is None:
            missing.append(record.at)
        elif conversation.sha256 != record.sha256:
            changed.append(record.at)
        else:
            lines.append(training_line(conversation, record.origin))
    content = b"".join(lines)
    digest = hashlib.sha256(content).hexdigest()
    report = RebuildReport(
        equal=digest == lineage.data_digest,
        digest=digest,
        erased=len(lineage.records) - len(left),
        missing=tuple(missing),
        changed=tuple(changed),
    )
    return RebuiltDataset(report=report, content=content)
