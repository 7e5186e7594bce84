"""Puts each record where it belongs: conversations, feedback, dead letters."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from daemon.domain.conversation import Conversation, FeedbackRecord
from daemon.domain.holdout import Holdout
from daemon.domain.personal_data import PersonalData
from daemon.domain.records import Batch, Coordinates, DeadLetter, NewConversation, NewFeedback
from daemon.domain.streams import RawRecord
from daemon.intake.decoding import BadRecord, Limits, decode
from daemon.intake.decoding_names import named_in
from daemon.intake.privacy.admission import Admission
from daemon.intake.privacy.cleaning import Cleaner
from daemon.intake.privacy.redaction import Redactor
from daemon.intake.requeueing import put_back
from daemon.intake.sketch import sketch
from daemon.intake.text_digest import plain_words, text_digest
from daemon.telemetry.metrics import Metrics


class Router:
    """Makes a batch of what a poll brought. What it returns depends on the records and the settings alone."""

    def __init__(
        self,
        *,
        model_line: str,
        holdout: Holdout,
        limits: Limits,
        metrics: Metrics,
        keep_bytes: bool = True,
        redactor: Redactor | None = None,
        admission: Admission | None = None,
    ) -> None:
        """``keep_bytes``: whether a dead letter keeps the record's key and value, or their digest only."""
        self._admission = admission or Admission()
        self._cleaner = Cleaner(
            redactor or Redactor(), pseudonym=holdout.conversation_hash, user_pseudonym=holdout.user_hash
        )
        self._keep_bytes = keep_bytes
        self._model_line = model_line
        self._holdout = holdout
        self._limits = limits
        self._metrics = metrics

    def sort(self, records: Iterable[RawRecord], now: datetime) -> Batch:
        """Decode each record and put it where it belongs."""
        conversations: list[NewConversation] = []
        opinions: list[NewFeedback] = []
        letters: list[DeadLetter] = []
        next_offsets: dict[tuple[str, int], int] = {}
        found: Counter[PersonalData] = Counter()
        for raw in records:
            next_offsets[raw.topic, raw.partition] = raw.offset + 1
            at = Coordinates(topic=raw.topic, partition=raw.partition, offset=raw.offset)
            try:
                record = decode(raw.value, limits=self._limits, received_at=now)
            except BadRecord as bad:
                letters.append(self._dead_letter(raw, at, bad, now))
                continue
            if record.model_line not in (None, self._model_line):
                self._metrics.intake.records("other_line").inc()
            elif isinstance(record, Conversation) and not self._admission.admits(record):
                self._metrics.intake.records("not_admitted").inc()
            else:
                clean = self._cleaner.clean(record, found)
                # The forgotten are known by the id that the record has, which cleaning may have replaced.
                if isinstance(clean, FeedbackRecord):
                    opinions.append(self._feedback(clean, at, named=record.conversation_id))
                else:
                    conversations.append(self._conversation(clean, raw, at, named=record.conversation_id))
        for kind, count in found.items():
            self._metrics.intake.redacted(kind).inc(count)
        return Batch(
            conversations=tuple(conversations),
            feedback=tuple(opinions),
            dead_letters=tuple(letters),
            next_offsets=next_offsets,
            received_at=now,
        )

    def _conversation(
        self, record: Conversation, raw: RawRecord, at: Coordinates, *, named: str
    ) -> NewConversation:
        group = self._holdout.group(record.user_id, named)
        words = plain_words(record.messages)
        return NewConversation(
            conversation=record,
            at=at,
            user_hash=group if record.user_id is not None else None,
            group=group,
            conversation_hash=self._holdout.conversation_hash(named),
            held_out=self._holdout.holds_out(group),
            text_digest=text_digest(record.messages, words),
            record_sha256=hashlib.sha256(raw.value or b"").hexdigest(),
            source=self._admission.source(record),
            sketch=sketch(words),
            key=raw.key if self._keep_bytes else None,
            value=raw.value if self._keep_bytes else None,
            size=len(raw.value or b""),
            requeued=put_back(raw.headers) if raw.headers else None,
        )

    def _feedback(self, record: FeedbackRecord, at: Coordinates, *, named: str) -> NewFeedback:
        return NewFeedback(
            conversation_id=record.conversation_id,
            at=at,
            when=record.at,
            feedback=record.feedback,
            conversation_hash=self._holdout.conversation_hash(named),
            user_hash=None if record.user_id is None else self._holdout.user_hash(record.user_id),
            admitted=self._admission.admits(record),
        )

    def _dead_letter(self, raw: RawRecord, at: Coordinates, bad: BadRecord, now: datetime) -> DeadLetter:
        return DeadLetter(
            at=at,
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
        """Hash whom an unusable record names, where it can be read that far: what was forgotten must not come back."""
        users, conversations = named_in(raw.value, limit=self._limits.max_record_bytes)
        return frozenset(
            [self._holdout.user_hash(name) for name in users]
            + [self._holdout.conversation_hash(name) for name in conversations]
        )
