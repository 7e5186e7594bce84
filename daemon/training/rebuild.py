"""Rebuilds the training set of a version from its lineage."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from daemon.domain.clock import Clock
from daemon.domain.records import Coordinates, NewConversation, StoredConversation
from daemon.domain.runs import TrainingRecord
from daemon.domain.streams import RawRecord, TopicPartition
from daemon.intake.router import Router
from daemon.ledger.conversations import ConversationLedger
from daemon.training.lineage import VersionLineage
from daemon.training.lines import LearnedRow, Line


@dataclass(frozen=True, kw_only=True, slots=True)
class RebuildReport:
    """How a rebuilt training set compares with the one that the version learned from."""

    equal: bool
    digest: str
    erased: int  # records that were erased since
    missing: tuple[Coordinates, ...]  # records that are gone, or can't be read
    changed: tuple[Coordinates, ...]  # records with another digest
    #: Records whose lines hold turns of other records, which only the ledger joins.
    continued: tuple[Coordinates, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RebuiltDataset:
    """A rebuilt training set."""

    report: RebuildReport
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceConversation:
    """A conversation, read again from where it is stored."""

    conversation: StoredConversation
    joined: bool  # whether its history is there where other records brought it


#: A record, and which of the conversations that it holds.
Place: TypeAlias = tuple[Coordinates, str]
#: Stands for a conversation whose rows the ledger gave ids that the topic does not know.
_GROWN = "grown"
#: Reads the conversations of these records; those that are gone are left out.
ReadConversations: TypeAlias = Callable[[Iterable[Coordinates]], Mapping[Place, SourceConversation]]
#: Reads records by their offsets.
FetchRecords: TypeAlias = Callable[[Mapping[TopicPartition, Iterable[int]]], Iterable[RawRecord]]


def from_ledger(ledger: ConversationLedger) -> ReadConversations:
    """Read conversations from the ledger."""

    def read(places: Iterable[Coordinates]) -> dict[Place, SourceConversation]:
        found = ledger.with_histories(ledger.at(places))
        return {
            (one.coordinates, one.conversation_hash): SourceConversation(
                conversation=one, joined=not one.history_gone
            )
            for one in found
        }

    return read


def from_topic(fetch: FetchRecords, router: Router, *, clock: Clock) -> ReadConversations:
    """Read records from their topic, through all steps of intake. The settings must be the same as they were then."""

    def read(places: Iterable[Coordinates]) -> dict[Place, SourceConversation]:
        wanted: dict[TopicPartition, list[int]] = {}
        for at in places:
            wanted.setdefault(TopicPartition(at.topic, at.partition), []).append(at.offset)
        found: dict[Place, SourceConversation] = {}
        for new in router.route(fetch(wanted), clock()).batch.conversations:
            source = SourceConversation(conversation=_as_stored(new), joined=False)
            found[new.at, new.conversation_hash] = source
            found[new.at, _GROWN] = source
        return found

    return read


def rebuild_dataset(lineage: VersionLineage, read: ReadConversations) -> RebuiltDataset:
    """Rebuild a version's training set, and compare it with the one that the version learned from.

    A line that holds turns of several records is rebuilt only as a whole.
    """
    records = lineage.all_records
    sources = read([record.at for record in records if not record.erased])
    problems: dict[str, list[Coordinates]] = {"missing": [], "changed": [], "continued": []}
    lines: dict[int, list[tuple[TrainingRecord, SourceConversation | None]]] = {}
    for position, record in enumerate(records):
        source = None if record.erased else sources.get((record.at, record.conversation_hash))
        if source is None and record.continues and not record.erased:
            source = sources.get((record.at, _GROWN))
        lines.setdefault(position if record.line is None else record.line, []).append((record, source))
        if not record.erased and (problem := _problem(record, source)) is not None:
            problems[problem].append(record.at)
    content = b"".join(
        _line([(record, source.conversation) for record, source in parts if source is not None])
        for _, parts in sorted(lines.items())
        if all(not record.erased and _problem(record, source) is None for record, source in parts)
    )
    digest = hashlib.sha256(content).hexdigest()
    report = RebuildReport(
        equal=digest == lineage.data_digest,
        digest=digest,
        erased=sum(record.erased for record in records),
        missing=tuple(problems["missing"]),
        changed=tuple(problems["changed"]),
        continued=tuple(problems["continued"]),
    )
    return RebuiltDataset(report=report, content=content)


def _problem(record: TrainingRecord, source: SourceConversation | None) -> str | None:
    """Return why the turns of a record can't be rebuilt, as the name of the report's field; None if they can."""
    if source is None:
        return "missing"
    if source.conversation.record_sha256 != record.sha256:
        return "changed"
    return "continued" if record.continues and not source.joined else None


def _line(parts: Sequence[tuple[TrainingRecord, StoredConversation]]) -> bytes:
    rows = tuple(
        LearnedRow(conversation=conversation, unlearned=record.unlearned) for record, conversation in parts
    )
    return Line(origin=parts[0][0].origin, rows=rows).encoded()


def _as_stored(new: NewConversation) -> StoredConversation:
    correction = new.conversation.feedback.correction if new.conversation.feedback else None
    return StoredConversation(
        seq=0,
        conversation_id=new.conversation.conversation_id,
        coordinates=new.at,
        at=new.conversation.at,
        group=new.group,
        held_out=new.held_out,
        version=new.conversation.model_version,
        messages=new.conversation.messages,
        feedback=None,
        text_digest=new.text_digest,
        record_sha256=new.record_sha256,
        conversation_hash=new.conversation_hash,
        tools=new.conversation.tools,
        documents=new.conversation.documents,
        correction=correction,
        record_correction=correction,
        rejected=new.conversation.rejected,
    )
