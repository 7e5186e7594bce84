"""Reads stored conversations: by range, by side of the split, sampled."""

import random
from collections.abc import Iterable, Sequence
from typing import TypeVarTuple

from sqlalchemy import ColumnElement, Engine, RowMapping, Select, exists, func, select

from daemon.domain.conversation import Message
from daemon.domain.records import Coordinates, StoredConversation
from daemon.domain.windows import SeqRange, StoredReference
from daemon.ledger.database import reader
from daemon.ledger.labels import labels_of
from daemon.ledger.reference_rows import in_reference
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, past_conversations, scores
from monitors.user_blocks import first_in_block

_Ts = TypeVarTuple("_Ts")


class ConversationLedger:
    """The conversations counted so far, in order of their seq.

    ``judgeable`` leaves out what a version can't be judged on: words that a trainable conversation said earlier, and
    conversations in which scoring found no reply. ``label_fields`` are the fields of the metadata that hold labels.
    """

    def __init__(self, engine: Engine, *, label_fields: Sequence[str] = ()) -> None:
        self._reads = reader(engine)
        self._label_fields = label_fields

    def last_seq(self) -> int:
        """Return the newest conversation's seq; 0 where there is none."""
        with self._reads.begin() as connection:
            return connection.scalar(select(func.max(conversations.c.seq))) or 0

    def between(self, span: SeqRange) -> list[StoredConversation]:
        """Return all conversations of a range, both sides of the split."""
        return self._read(
            select(conversations)
            .where(conversations.c.seq.between(span.first, span.last))
            .order_by(conversations.c.seq)
        )

    def of_reference(self, reference: StoredReference) -> list[StoredConversation]:
        """Return the conversations of a reference, both sides of the split."""
        with self._reads.begin() as connection:
            seqs = connection.scalars(select(conversations.c.seq).where(in_reference(reference))).all()
        return self.by_seq(sorted(seqs))

    def first_of_each_user(
        self, stored: Sequence[StoredConversation], block: int
    ) -> list[StoredConversation]:
        """Return those of ``stored``, which are in order, that are their user's first of a block of so many seqs."""
        if not stored:
            return []
        begins = stored[0].seq - stored[0].seq % block
        users = {conversation.group for conversation in stored}
        with self._reads.begin() as connection:
            same_users = in_values(connection, conversations.c.user_hash, users)
            inside = same_users & conversations.c.seq.between(begins, stored[-1].seq)
            columns = (conversations.c.seq, conversations.c.user_hash)
            query = select(*columns).where(inside).order_by(conversations.c.seq)
            spoken = [(seq, user) for seq, user in connection.execute(query)]
        counting, known = first_in_block(spoken, block), {user for _, user in spoken}
        return [
            conversation
            for conversation in stored
            if conversation.seq in counting or conversation.group not in known
        ]

    def after(self, seq: int, limit: int) -> list[StoredConversation]:
        """Return the next conversations after one, both sides of the split."""
        return self._read(
            select(conversations).where(conversations.c.seq > seq).order_by(conversations.c.seq).limit(limit)
        )

    def count(
        self, *, held_out: bool, judgeable: bool = False, since: int = 1, before: int | None = None
    ) -> int:
        """Count one side of the split from ``since`` on, and before ``before`` where given."""
        query = _side(select(func.count()), held_out, judgeable, since, before)
        with self._reads.begin() as connection:
            return connection.scalar(query) or 0

    def newest(
        self,
        limit: int,
        *,
        held_out: bool,
        judgeable: bool = False,
        since: int = 1,
        before: int | None = None,
    ) -> list[StoredConversation]:
        """Return at most ``limit`` conversations of one side, the newest ones, oldest first."""
        query = (
            _side(select(conversations), held_out, judgeable, since, before)
            .order_by(conversations.c.seq.desc())
            .limit(limit)
        )
        return self._read(query)[::-1]

    def sample(
        self, limit: int, *, held_out: bool, judgeable: bool = False, before: int, seed: int, since: int = 1
    ) -> list[StoredConversation]:
        """Return a uniform sample of one side before ``before``; the same seed and ledger give the same sample."""
        with self._reads.begin() as connection:
            seqs = connection.scalars(
                _side(select(conversations.c.seq), held_out, judgeable, since, before).order_by(
                    conversations.c.seq
                )
            ).all()
        chosen = sorted(random.Random(seed).sample(list(seqs), min(limit, len(seqs))))  # noqa: S311 - not a secret
        return self.by_seq(chosen)

    def by_seq(self, seqs: Sequence[int]) -> list[StoredConversation]:
        """Return these conversations, in order."""
        found: list[StoredConversation] = []
        for start in range(0, len(seqs), 500):  # databases bound the number of parameters
            page = seqs[start : start + 500]
            found += self._read(
                select(conversations).where(conversations.c.seq.in_(page)).order_by(conversations.c.seq)
            )
        return found

    def at(self, places: Iterable[Coordinates]) -> dict[Coordinates, StoredConversation]:
        """Return the conversations that came from these records."""
        wanted: dict[tuple[str, int], list[int]] = {}
        for place in places:
            wanted.setdefault((place.topic, place.partition), []).append(place.offset)
        found: list[StoredConversation] = []
        for (topic, partition), offsets in wanted.items():
            same_partition = (conversations.c.topic == topic) & (conversations.c.partition == partition)
            for start in range(0, len(offsets), 500):
                page = conversations.c.offset.in_(offsets[start : start + 500])
                found += self._read(select(conversations).where(same_partition & page))
        return {conversation.coordinates: conversation for conversation in found}

    def held_out_text_digests(self) -> frozenset[str]:
        """Return the text digests of all held-out conversations."""
        with self._reads.begin() as connection:
            return frozenset(
                connection.scalars(
                    select(conversations.c.text_digest).where(conversations.c.held_out).distinct()
                )
            )

    def held_out_sketches(self) -> list[bytes]:
        """Return the sketches of all held-out conversations."""
        query = select(conversations.c.sketch).where(
            conversations.c.held_out & conversations.c.sketch.is_not(None)
        )
        with self._reads.begin() as connection:
            return [made for made in connection.scalars(query) if made is not None]

    def _read(self, query: Select[*tuple[object, ...]]) -> list[StoredConversation]:
        with self._reads.begin() as connection:
            return [_stored(row, self._label_fields) for row in connection.execute(query).mappings()]


def _side(
    query: Select[*_Ts], held_out: bool, judgeable: bool, since: int, before: int | None
) -> Select[*_Ts]:
    query = query.where((conversations.c.held_out == held_out) & (conversations.c.seq >= since))
    if before is not None:
        query = query.where(conversations.c.seq < before)
    return query.where(~_said_before() & ~_without_reply()) if judgeable else query


def _said_before() -> ColumnElement[bool]:
    """Whether a trainable conversation said the same words earlier, be it still here or gone."""
    twin = conversations.alias()
    same = twin.c.text_digest == conversations.c.text_digest
    here = exists().where(same & twin.c.held_out.is_(False) & (twin.c.seq < conversations.c.seq))
    return here | exists().where(past_conversations.c.text_digest == conversations.c.text_digest)


def _without_reply() -> ColumnElement[bool]:
    """Whether scoring it found nothing to score."""
    return exists().where((scores.c.seq == conversations.c.seq) & (scores.c.tokens == 0))


def _stored(row: RowMapping, label_fields: Sequence[str]) -> StoredConversation:
    return StoredConversation(
        seq=row["seq"],
        conversation_id=row["conversation_id"],
        coordinates=Coordinates(topic=row["topic"], partition=row["partition"], offset=row["offset"]),
        at=row["at"],
        group=row["group_key"],
        held_out=row["held_out"],
        version=row["version"],
        messages=tuple(Message(role=m["role"], content=m["content"]) for m in row["messages"]),
        feedback=row["feedback"],
        text_digest=row["text_digest"],
        record_sha256=row["record_sha256"],
        conversation_hash=row["conversation_hash"],
        source=row["source"],
        sketch=row["sketch"],
        labels=labels_of(row["metadata"], label_fields),
    )
