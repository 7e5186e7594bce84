"""Routes the records of one poll into a batch of conversations, feedback, dead letters and tombstones."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from daemon.config.settings import Settings
from daemon.domain.bad_record import Absence
from daemon.domain.conversation import Conversation, FeedbackRecord, Record
from daemon.domain.holdout import Holdout
from daemon.domain.personal_data import PersonalData
from daemon.domain.records import Batch, Coordinates, DeadLetter, NewConversation, NewFeedback, Tombstone
from daemon.domain.streams import RawRecord
from daemon.domain.text_digest import normalized_words, text_digest
from daemon.domain.turns import opening, turns_of
from daemon.domain.unusable_feedback import Unusable
from daemon.intake.decoding import BadRecord, NoConversation, decode_document
from daemon.intake.formats.envelopes.kserve import Halves, lonely_half
from daemon.intake.formats.reading import Reading
from daemon.intake.formats.registry import formats_for
from daemon.intake.named_subjects import named_subjects
from daemon.intake.privacy.admission import Admission
from daemon.intake.privacy.cleaning import Cleaner
from daemon.intake.privacy.redaction import Redactor
from daemon.intake.requeueing import requeued_from
from daemon.intake.tombstones import deleted_conversation
from daemon.intake.unwrapping import Schemas, unwrap


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutedRecords:
    """A batch for the ledger, and counts of what is not in it."""

    batch: Batch
    other_line: int  # records of other model lines
    not_admitted: int  # conversations that may not be kept
    tombstones: int  # records without a value or of zero bytes, those in the batch included, and those that report a deletion
    redacted: Mapping[PersonalData, int]
    absent: Mapping[Absence, int] = field(
        default_factory=dict
    )  # records that are in order and hold no conversation
    unusable_feedback: Mapping[Unusable, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Routed:
    """What was routed so far."""

    conversations: list[NewConversation] = field(default_factory=list)
    feedback: list[NewFeedback] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    erase: list[Tombstone] = field(default_factory=list)
    other_line: int = 0
    not_admitted: int = 0
    tombstones: int = 0
    redacted: Counter[PersonalData] = field(default_factory=Counter)
    absent: Counter[Absence] = field(default_factory=Counter)
    halves: Halves[RawRecord] = field(default_factory=Halves)
    unusable_feedback: Counter[Unusable] = field(default_factory=Counter)


class Router:
    """Decodes, admits, redacts and hashes each record, in this order.

    Routing is pure: the same records, time and settings give the same result.
    """

    def __init__(self, settings: Settings, holdout: Holdout, schemas: Schemas | None = None) -> None:
        """Without ``schemas``, records in Avro are refused."""
        self._schemas = schemas
        self._model_line = settings.model_line
        self._limits = settings.limits
        self._intake = settings.intake
        self._feedback_settings = settings.feedback
        self._formats = formats_for(settings.kafka.format, settings.intake)
        self._forgets = settings.kafka.tombstones == "forget"
        self._keep_bytes = settings.dead_letters.keep == "bytes"
        self._admission = Admission(settings.hygiene)
        self._shared_ids = frozenset(map(str.casefold, settings.hygiene.shared_user_ids))
        self._cleaner = Cleaner(
            Redactor(settings.hygiene),
            pseudonym=holdout.conversation_hash,
            user_pseudonym=holdout.user_hash,
        )
        self._holdout = holdout

    def route(self, records: Iterable[RawRecord], now: datetime) -> RoutedRecords:
        """Route records, in their order. ``now`` is the time at which they were read.

        Raises StreamError while the schema of a record can't be had; the records must be read again later.
        """
        routed = _Routed()
        next_offsets: dict[tuple[str, int], int] = {}
        for raw in records:
            next_offsets[raw.topic, raw.partition] = raw.offset + 1
            if raw.value:
                self._route_value(raw, raw.value, routed, now)
            else:
                self._route_tombstone(raw, routed)
        for raw in routed.halves.left():
            routed.dead_letters.append(self._dead_letter(raw, lonely_half(), now))
        return RoutedRecords(
            batch=Batch(
                conversations=tuple(routed.conversations),
                feedback=tuple(routed.feedback),
                dead_letters=tuple(routed.dead_letters),
                tombstones=tuple(routed.erase),
                next_offsets=next_offsets,
                received_at=now,
            ),
            other_line=routed.other_line,
            not_admitted=routed.not_admitted,
            tombstones=routed.tombstones,
            redacted=dict(routed.redacted),
            absent=dict(routed.absent),
            unusable_feedback=dict(routed.unusable_feedback),
        )

    def _route_value(self, raw: RawRecord, value: bytes, routed: _Routed, now: datetime) -> None:
        """Route the documents of a record. It becomes one dead letter if any of them is unusable; the others are kept."""
        try:
            documents = unwrap(value, limits=self._limits, headers=raw.headers, schemas=self._schemas)
        except BadRecord as bad:
            routed.dead_letters.append(self._dead_letter(raw, bad, now))
            return
        routed.tombstones += not documents
        reading = Reading(
            limits=self._limits,
            received_at=now,
            recorded_at=_recorded_at(raw, now),
            intake=self._intake,
            feedback=self._feedback_settings,
            unusable_feedback=routed.unusable_feedback,
        )
        unusable: list[BadRecord] = []
        for one in documents:
            document = routed.halves.join(one, raw)
            if document is None:
                continue
            try:
                records = decode_document(document, reading, formats=self._formats)
            except NoConversation as none:
                routed.absent[none.kind] += 1
            except BadRecord as bad:
                unusable.append(bad)
            else:
                for record in records:
                    self._route_decoded(record, raw, routed)
        if unusable:
            routed.dead_letters.append(self._dead_letter(raw, unusable[0], now))

    def _route_tombstone(self, raw: RawRecord, routed: _Routed) -> None:
        """Count a record without a value. One of zero bytes, as some clients send, erases nothing: it is no deletion."""
        routed.tombstones += 1
        id_ = deleted_conversation(raw.key) if self._forgets and raw.value is None else None
        if id_ is not None:
            hash_ = self._holdout.conversation_hash(id_)
            routed.erase.append(Tombstone(at=_coordinates(raw), conversation_id=id_, conversation_hash=hash_))

    def _route_decoded(self, record: Record, raw: RawRecord, routed: _Routed) -> None:
        if record.user_id is not None and record.user_id.casefold() in self._shared_ids:
            record = replace(record, user_id=None)
        if record.model_line not in (None, self._model_line):
            routed.other_line += 1
        elif isinstance(record, Conversation) and not self._admission.admits(record):
            routed.not_admitted += 1
        else:
            clean = self._cleaner.clean(record, routed.redacted)
            # Tombstones hold hashes of the original id, which cleaning may have replaced.
            original_id = record.conversation_id
            if isinstance(clean, FeedbackRecord):
                routed.feedback.append(self._feedback(clean, raw, original_id))
            else:
                session = record.session_id if isinstance(record, Conversation) else None
                routed.conversations.append(self._conversation(clean, raw, original_id, session))

    def _conversation(
        self, record: Conversation, raw: RawRecord, original_id: str, session: str | None
    ) -> NewConversation:
        turns = turns_of(record.messages)
        group = self._holdout.group(record.user_id, session or original_id)
        unit = self._holdout.unit(record.user_id, session, opening(record.messages, turns))
        words = normalized_words(record.messages)
        return NewConversation(
            conversation=record,
            at=_coordinates(raw),
            user_hash=group if record.user_id is not None else None,
            session_hash=None if session is None else self._holdout.conversation_hash(session),
            group=group,
            conversation_hash=self._holdout.conversation_hash(original_id),
            held_out=self._holdout.holds_out(unit),
            turns=turns,
            text_digest=text_digest(record.messages, words),
            record_sha256=hashlib.sha256(raw.value or b"").hexdigest(),
            source=self._admission.source(record),
            key=raw.key if self._keep_bytes else None,
            value=raw.value if self._keep_bytes else None,
            size=len(raw.value or b""),
            requeued=requeued_from(raw.headers) if raw.headers else None,
        )

    def _feedback(self, record: FeedbackRecord, raw: RawRecord, original_id: str) -> NewFeedback:
        return NewFeedback(
            conversation_id=record.conversation_id,
            at=_coordinates(raw),
            when=record.at,
            feedback=record.feedback,
            conversation_hash=self._holdout.conversation_hash(original_id),
            user_hash=None if record.user_id is None else self._holdout.user_hash(record.user_id),
            admitted=self._admission.admits(record),
        )

    def _dead_letter(self, raw: RawRecord, bad: BadRecord, now: datetime) -> DeadLetter:
        return DeadLetter(
            at=_coordinates(raw),
            reason=bad.reason,
            field=bad.field,
            message=str(bad),
            key=raw.key if self._keep_bytes else None,
            value=raw.value if self._keep_bytes else None,
            when=now,
            digest=None if raw.value is None else hashlib.sha256(raw.value).hexdigest(),
            size=len(raw.value or b""),
            subjects=self._subjects(raw),
        )

    def _subjects(self, raw: RawRecord) -> frozenset[str]:
        """Hash the ids that an unusable record names, so that nothing of a forgotten user is stored again."""
        users, conversations = named_subjects(raw.value, limits=self._limits, headers=raw.headers)
        return frozenset(
            [self._holdout.user_hash(user) for user in users]
            + [self._holdout.conversation_hash(conversation) for conversation in conversations]
        )


def _recorded_at(raw: RawRecord, now: datetime) -> datetime | None:
    """Return Kafka's own time of a record, for one that names none; never after ``now``."""
    if raw.timestamp_ms <= 0:
        return None
    return min(now, datetime.fromtimestamp(raw.timestamp_ms / 1_000, UTC))


def _coordinates(raw: RawRecord) -> Coordinates:
    return Coordinates(topic=raw.topic, partition=raw.partition, offset=raw.offset)
