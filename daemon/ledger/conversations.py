"""Reads stored conversations: by range, by side of the split, or as a sample."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVarTuple

from sqlalchemy import ColumnElement, Engine, RowMapping, Select, case, exists, func, select

from daemon.domain.conversation import Message
from daemon.domain.lesson_counts import count_lessons
from daemon.domain.lessons import LessonKind, LessonRules
from daemon.domain.message_json import messages_from
from daemon.domain.records import Coordinates, StoredConversation, StoredCorrection
from daemon.domain.turns import turns_of
from daemon.domain.windows import SeqRange, StoredReference
from daemon.ledger.corrections import corrections_by_digest
from daemon.ledger.database import reader
from daemon.ledger.histories import with_histories
from daemon.ledger.labels import labels_of
from daemon.ledger.lesson_counts import answer_classes
from daemon.ledger.other_answers import TAUGHT_ANSWER
from daemon.ledger.reference_rows import in_reference
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, feedback, turns
from monitors.user_blocks import first_in_block

_Ts = TypeVarTuple("_Ts")
#: Conversations, each with the newest correction that came after it, and a teacher's answer.
_ROWS = select(
    conversations, feedback.c.correction.label("late_correction"), TAUGHT_ANSWER.label("taught")
).outerjoin(feedback, feedback.c.digest == conversations.c.corrected_by)


class ConversationLedger:
    """The stored conversations, in the order of their seqs.

    ``label_fields`` are the metadata fields that hold labels.
    """

    def __init__(self, engine: Engine, *, label_fields: Sequence[str] = ()) -> None:
        self._reads = reader(engine)
        self._label_fields = label_fields

    def with_histories(self, stored: Sequence[StoredConversation]) -> list[StoredConversation]:
        """Return conversations, in their order, with the turns before those that their rows hold."""
        with self._reads.begin() as connection:
            return with_histories(connection, stored)

    def last_seq(self) -> int:
        """Return the seq of the newest conversation; 0 if there is none."""
        with self._reads.begin() as connection:
            return connection.scalar(select(func.max(conversations.c.seq))) or 0

    def between(self, span: SeqRange) -> list[StoredConversation]:
        """Return all conversations of a range, of both sides of the split."""
        return self._read(
            _ROWS.where(conversations.c.seq.between(span.first, span.last)).order_by(conversations.c.seq)
        )

    def of_reference(self, reference: StoredReference) -> list[StoredConversation]:
        """Return the conversations of a reference, of both sides of the split."""
        with self._reads.begin() as connection:
            seqs = connection.scalars(select(conversations.c.seq).where(in_reference(reference))).all()
        return self.by_seq(sorted(seqs))

    def first_of_each_user(
        self, stored: Sequence[StoredConversation], block: int
    ) -> list[StoredConversation]:
        """Return those that are the first of their user, or of their conversation, in a block of ``block`` seqs.

        ``stored`` is in order of seq.
        """
        if not stored:
            return []
        first_of_block = stored[0].seq - stored[0].seq % block
        column = conversations.c
        threads = {conversation.thread for conversation in stored}
        with self._reads.begin() as connection:
            related = (
                in_values(connection, column.user_hash, {conversation.group for conversation in stored})
                | in_values(connection, column.thread, threads)
                | in_values(connection, column.seq, threads | {conversation.seq for conversation in stored})
            )
            inside = related & column.seq.between(first_of_block, stored[-1].seq)
            query = select(column.seq, column.user_hash, column.thread).where(inside).order_by(column.seq)
            rows = connection.execute(query).all()
        # Without a user, those of one conversation depend on each other.
        seqs_of_users = [(seq, user or f"conversation {thread or seq}") for seq, user, thread in rows]
        counting = first_in_block(seqs_of_users, block)
        return [conversation for conversation in stored if conversation.seq in counting]

    def after(self, seq: int, limit: int) -> list[StoredConversation]:
        """Return the next conversations after a seq, of both sides of the split."""
        return self._read(_ROWS.where(conversations.c.seq > seq).order_by(conversations.c.seq).limit(limit))

    def count(self, *, held_out: bool, since: int = 1, before: int | None = None) -> int:
        """Count the conversations of one side of the split with ``since`` <= seq < ``before``."""
        query = _side(select(func.count()), held_out, since, before)
        with self._reads.begin() as connection:
            return connection.scalar(query) or 0

    def lesson_counts(
        self, rules: LessonRules, *, held_out: bool, since: int = 1, before: int | None = None
    ) -> Counter[LessonKind]:
        """Count the lessons of each kind in conversations of one side with ``since`` <= seq < ``before``."""
        with self._reads.begin() as connection:
            classes = answer_classes(connection, rules, held_out=held_out, since=since, before=before)
        return count_lessons(classes, rules)

    def corrections(self, digests: Iterable[str]) -> dict[str, StoredCorrection]:
        """Return the corrections of these feedback records, by digest, newer ones or not; erased ones are left out."""
        with self._reads.begin() as connection:
            return corrections_by_digest(connection, digests)

    def newest(
        self,
        limit: int,
        *,
        held_out: bool,
        since: int = 1,
        before: int | None = None,
    ) -> list[StoredConversation]:
        """Return the newest ``limit`` conversations of one side, oldest first."""
        query = _side(_ROWS, held_out, since, before).order_by(conversations.c.seq.desc()).limit(limit)
        return self._read(query)[::-1]

    def sample(
        self, limit: int, *, held_out: bool, before: int, seed: int, since: int = 1
    ) -> list[StoredConversation]:
        """Return a uniform sample of one side before ``before``. The same seed and ledger give the same sample."""
        with self._reads.begin() as connection:
            seqs = connection.scalars(
                _side(select(conversations.c.seq), held_out, since, before).order_by(conversations.c.seq)
            ).all()
        chosen = sorted(random.Random(seed).sample(list(seqs), min(limit, len(seqs))))  # noqa: S311 - not a secret
        return self.by_seq(chosen)

    def by_seq(self, seqs: Sequence[int]) -> list[StoredConversation]:
        """Return the conversations with these seqs, in order."""
        found: list[StoredConversation] = []
        for start in range(0, len(seqs), 500):  # databases limit the number of parameters
            page = seqs[start : start + 500]
            found += self._read(_ROWS.where(conversations.c.seq.in_(page)).order_by(conversations.c.seq))
        return found

    def at(self, places: Iterable[Coordinates]) -> list[StoredConversation]:
        """Return the conversations that came from these records."""
        by_partition: dict[tuple[str, int], list[int]] = {}
        for place in places:
            by_partition.setdefault((place.topic, place.partition), []).append(place.offset)
        found: list[StoredConversation] = []
        for (topic, partition), offsets in by_partition.items():
            same_partition = (conversations.c.topic == topic) & (conversations.c.partition == partition)
            for start in range(0, len(offsets), 500):
                page = conversations.c.offset.in_(offsets[start : start + 500])
                found += self._read(_ROWS.where(same_partition & page))
        return found

    def held_out_text_digests(self) -> frozenset[str]:
        """Return the text digests of all held-out conversations."""
        with self._reads.begin() as connection:
            return frozenset(
                connection.scalars(
                    select(conversations.c.text_digest).where(conversations.c.held_out).distinct()
                )
            )

    def newest_held_out(self, limit: int) -> list[StoredConversation]:
        """Return the newest held-out conversations, oldest first."""
        return self.newest(limit, held_out=True)

    def held_out_messages(self) -> Iterator[tuple[Message, ...]]:
        """Return the messages of all held-out conversations, in order, a few hundred at a time in memory."""
        return self._messages(conversations.c.held_out)

    def held_out_exchanges(self) -> frozenset[int]:
        """Return the digests of all held-out answers with what they answer."""
        indexed = select(turns.c.exchange).where(turns.c.held_out & turns.c.exchange.is_not(None)).distinct()
        before = conversations.c.held_out & ~exists().where(turns.c.seq == conversations.c.seq)
        with self._reads.begin() as connection:
            found = set(connection.scalars(indexed))
        for messages in self._messages(before):  # rows of earlier releases have no digests
            found.update(turn.exchange for turn in turns_of(messages) if turn.exchange is not None)
        return frozenset(found)

    def held_out_with_other_answers(self) -> list[StoredConversation]:
        """Return the held-out conversations whose last answer was corrected, in order."""
        return self._read(
            _ROWS.where(conversations.c.held_out & conversations.c.other_answer.is_not(None)).order_by(
                conversations.c.seq
            )
        )

    def disliked_exchanges(self, rules: LessonRules) -> frozenset[int]:
        """Return the digests of the answers, with what they answer, that no fewer users disliked than liked."""
        score = conversations.c.feedback
        disliked = case((score <= rules.disliked_to, 1), else_=-1)
        query = (
            select(turns.c.exchange)
            .join(conversations, conversations.c.seq == turns.c.seq)
            .where(turns.c.exchange.is_not(None))
            .where(
                conversations.c.other_answer.is_(None) | turns.c.claimed
            )  # a correction is of the last answer
            .where((score <= rules.disliked_to) | (score >= rules.liked_from))
            .group_by(turns.c.exchange)
            .having(func.sum(disliked) >= 0)
        )
        with self._reads.begin() as connection:
            return frozenset(connection.scalars(query))

    def _messages(self, where: ColumnElement[bool]) -> Iterator[tuple[Message, ...]]:
        """Return messages in order, read a page at a time: no transaction is open while the caller works."""
        columns, last = (conversations.c.seq, conversations.c.messages), 0
        query = select(*columns).where(where).order_by(conversations.c.seq).limit(500)
        while True:
            with self._reads.begin() as connection:
                page = connection.execute(query.where(conversations.c.seq > last)).all()
            if not page:
                return
            yield from (messages_from(messages) for _, messages in page)
            last = page[-1][0]

    def _read(self, query: Select[*tuple[object, ...]]) -> list[StoredConversation]:
        with self._reads.begin() as connection:
            return [_stored(row, self._label_fields) for row in connection.execute(query).mappings()]


def _side(query: Select[*_Ts], held_out: bool, since: int, before: int | None) -> Select[*_Ts]:
    query = query.where((conversations.c.held_out == held_out) & (conversations.c.seq >= since))
    if before is not None:
        query = query.where(conversations.c.seq < before)
    return query


def _stored(row: RowMapping, label_fields: Sequence[str]) -> StoredConversation:
    context, late = row["context"] or {}, row["late_correction"]
    return StoredConversation(
        seq=row["seq"],
        conversation_id=row["conversation_id"],
        coordinates=Coordinates(topic=row["topic"], partition=row["partition"], offset=row["offset"]),
        at=row["at"],
        group=row["group_key"],
        held_out=row["held_out"],
        version=row["version"],
        messages=messages_from(row["messages"]),
        feedback=row["feedback"],
        text_digest=row["text_digest"],
        record_sha256=row["record_sha256"],
        conversation_hash=row["conversation_hash"],
        source=row["source"],
        labels=labels_of(row["metadata"], label_fields),
        tools=tuple(context.get("tools", ())),
        documents=tuple(context.get("documents", ())),
        thread=row["thread"] or row["seq"],
        correction=late or row["correction"],
        corrected_by=row["corrected_by"] if late else None,
        record_correction=row["correction"],
        rejected=None if row["rejected"] is None else messages_from([row["rejected"]])[0],
        taught=None if row["taught"] is None else Message(role="assistant", content=row["taught"]),
    )
