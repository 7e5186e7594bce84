"""Rebuilds the training set of a version from its lineage."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from daemon.domain.clock import Clock
from daemon.domain.conversation import Message
from daemon.domain.lessons import LessonKind
from daemon.domain.records import Coordinates, NewConversation, StoredConversation
from daemon.domain.runs import TrainingRecord
from daemon.domain.streams import RawRecord, TopicPartition
from daemon.intake.router import Router
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.feedback import feedback_digest
from daemon.training.answer_lines import AnswerLine
from daemon.training.lineage import VersionLineage
from daemon.training.lines import LearnedRow, Line
from daemon.training.trained_lesson import BY_RECORD, TrainedLesson, lesson_from_json


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What the records of a training set say, as far as it is still known."""

    conversations: Mapping[Place, SourceConversation]
    corrections: Mapping[
        str, str
    ]  # texts of the corrections in feedback records, by the digest of the feedback


#: Stands for a conversation whose rows the ledger gave ids that the topic does not know.
_GROWN = "grown"
#: Reads these records; those that are gone are left out.
ReadRecords: TypeAlias = Callable[[Sequence[TrainingRecord]], Sources]
#: Reads records by their offsets.
FetchRecords: TypeAlias = Callable[[Mapping[TopicPartition, Iterable[int]]], Iterable[RawRecord]]


def from_ledger(ledger: ConversationLedger) -> ReadRecords:
    """Read records from the ledger."""

    def read(records: Sequence[TrainingRecord]) -> Sources:
        conversations = {
            (one.coordinates, one.conversation_hash): SourceConversation(
                conversation=one, joined=not one.history_gone
            )
            for one in ledger.with_histories(ledger.at(record.at for record in records))
        }
        found = ledger.corrections(_corrections_in(records))
        corrections = {digest: correction.text for digest, correction in found.items()}
        return Sources(conversations=conversations, corrections=corrections)

    return read


def from_topic(
    fetch: FetchRecords, router: Router, ledger: ConversationLedger, *, clock: Clock
) -> ReadRecords:
    """Read records from their topic, through all steps of intake. The settings must be the same as they were then.

    The ledger says where the feedback is whose corrections were learned, and what a teacher answered.
    """

    def read(records: Sequence[TrainingRecord]) -> Sources:
        corrected = ledger.corrections(_corrections_in(records))
        taught = _taught(ledger, records)
        places = [*(record.at for record in records), *(one.at for one in corrected.values())]
        wanted: dict[TopicPartition, list[int]] = {}
        for at in dict.fromkeys(places):
            wanted.setdefault(TopicPartition(at.topic, at.partition), []).append(at.offset)
        batch = router.route(fetch(wanted), clock()).batch
        found: dict[Place, SourceConversation] = {}
        for new in batch.conversations:
            stored = _as_stored(new, taught=taught.get((new.at, new.conversation_hash)))
            source = SourceConversation(conversation=stored, joined=False)
            found[new.at, new.conversation_hash] = source
            found[new.at, _GROWN] = source
        corrections = {feedback_digest(new): new.feedback.correction or "" for new in batch.feedback}
        return Sources(conversations=found, corrections=corrections)

    return read


def rebuild_dataset(lineage: VersionLineage, read: ReadRecords) -> RebuiltDataset:
    """Rebuild a version's training set, and compare it with the one that the version learned from.

    A line that holds turns of several records is rebuilt only as a whole. What was said of a record after the run does not
    change its lines.
    """
    records = lineage.all_records
    sources = read([record for record in records if not record.erased])
    problems: dict[str, list[Coordinates]] = {"missing": [], "changed": [], "continued": []}
    lines: dict[int, list[_Part]] = {}
    for position, record in enumerate(records):
        part = _part(record, sources)
        lines.setdefault(position if record.line is None else record.line, []).append(part)
        if part.problem is not None:
            problems[part.problem].append(record.at)
    content = b"".join(
        _line(parts, sources)
        for _, parts in sorted(lines.items())
        if all(not part.record.erased and part.problem is None for part in parts)
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


@dataclass(frozen=True, slots=True)
class _Part:
    """A record of a line, and what is known of it."""

    record: TrainingRecord
    lesson: TrainedLesson
    conversation: StoredConversation | None  # None: of a correction, or not known any more
    problem: str | None  # why the line can't be rebuilt, as the name of the report's field


def _part(record: TrainingRecord, sources: Sources) -> _Part:
    lesson = lesson_from_json(record.lesson)
    if record.erased:
        return _Part(record, lesson, None, None)
    source = sources.conversations.get((record.at, record.conversation_hash))
    if source is None and record.continues:
        source = sources.conversations.get((record.at, _GROWN))
    problem = _problem(record, lesson, source, sources.corrections)
    return _Part(record, lesson, source.conversation if source is not None else None, problem)


def _taught(ledger: ConversationLedger, records: Iterable[TrainingRecord]) -> dict[Place, Message]:
    """Return the teacher's answers that were learned, which no topic holds."""
    places = [record.at for record in records if lesson_from_json(record.lesson).kind == LessonKind.TEACHER]
    return {
        (one.coordinates, one.conversation_hash): one.taught
        for one in ledger.at(places)
        if one.taught is not None
    }


def _corrections_in(records: Iterable[TrainingRecord]) -> set[str]:
    """Return the digests of the feedback whose corrections were learned from these records."""
    taken = {lesson_from_json(record.lesson).correction for record in records}
    return {digest for digest in taken if digest is not None} - {BY_RECORD}


def _problem(
    record: TrainingRecord,
    lesson: TrainedLesson,
    source: SourceConversation | None,
    corrections: Mapping[str, str],
) -> str | None:
    """Return why the turns of a record can't be rebuilt, as the name of the report's field; None if they can."""
    if source is None or lesson.correction not in (None, BY_RECORD, *corrections):
        return "missing"
    conversation = source.conversation
    if conversation.record_sha256 != record.sha256:
        return "changed"
    if lesson.correction == BY_RECORD and conversation.record_correction is None:
        return "changed"
    if lesson.kind == LessonKind.TEACHER and conversation.taught is None:
        return "missing"
    return "continued" if record.continues and not source.joined else None


def _line(parts: Sequence[_Part], sources: Sources) -> bytes:
    first = parts[0]
    rows = [
        (part, part.conversation)
        for part in parts
        if part.conversation is not None and part.lesson.part is None
    ]
    if first.lesson.index is None:
        learned = tuple(
            LearnedRow(conversation=conversation, unlearned=part.record.unlearned)
            for part, conversation in rows
        )
        weight = first.lesson.weight
        return Line(origin=first.record.origin, rows=learned, kind=first.lesson.kind, weight=weight).encoded()
    [(_, conversation)] = rows
    worse = next((part for part in parts if part.lesson.part == "rejected"), None)
    return _answer_line(first, conversation, worse, sources).encoded()


def _answer_line(
    part: _Part, conversation: StoredConversation, worse: _Part | None, sources: Sources
) -> AnswerLine:
    """Return the line about one answer; ``worse`` is the part with the answer that it is preferred to, if it has one."""
    lesson, index = part.lesson, part.lesson.index or 0
    given = conversation.messages[index]
    answer, rejected = given, None
    if lesson.kind == LessonKind.CORRECTION:
        text = (
            conversation.record_correction
            if lesson.correction == BY_RECORD
            else sources.corrections[lesson.correction or ""]
        )
        answer, rejected = Message(role="assistant", content=text or "", name=given.name), given
    elif lesson.kind == LessonKind.TEACHER and conversation.taught is not None:
        answer, rejected = conversation.taught, given if lesson.teaching == "prefer" else None
    elif worse is not None and worse.conversation is not None:
        rejected = worse.conversation.messages[worse.lesson.index or 0]
    elif lesson.kind == LessonKind.PREFERENCE:
        rejected = conversation.rejected
    return AnswerLine(
        origin=part.record.origin,
        conversation=conversation,
        index=index,
        kind=lesson.kind,
        teaching=lesson.teaching,
        answer=answer,
        rejected=rejected,
        weight=lesson.weight,
    )


def _as_stored(new: NewConversation, *, taught: Message | None) -> StoredConversation:
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
        taught=taught,
    )
