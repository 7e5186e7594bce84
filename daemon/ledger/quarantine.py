"""Sets aside what one user sent too much of, so that a flood moves neither windows nor training."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Connection, func, select, type_coerce

from daemon.domain.bad_record import Reason
from daemon.domain.records import Coordinates, DeadLetter, NewConversation
from daemon.ledger.burst_limit import BurstLimit
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, dead_letters, microseconds


def part(
    connection: Connection, conversations: Sequence[NewConversation], limit: BurstLimit
) -> tuple[list[NewConversation], list[NewConversation]]:
    """Return what is let in, in its order, and what is set aside.

    A record that was set aside before and that an operator put back on the topic is let in.
    """
    span_us, most = limit.span_us, limit.conversations
    spans = [_span(microseconds(new.conversation.at), span_us) for new in conversations]
    counted = _counted(connection, conversations, spans, span_us)
    released = _released(connection, conversations)
    kept, aside = [], []
    for new, span in zip(conversations, spans, strict=True):
        key = (new.user_hash, span)
        count = 0 if new.user_hash is None else counted.get(key, 0)
        if count < most or (new.requeued, new.record_sha256) in released:
            counted[key] = count + 1
            kept.append(new)
        else:
            aside.append(new)
    return kept, aside


def burst_letter(new: NewConversation, limit: BurstLimit, now: datetime) -> DeadLetter:
    """Return the dead letter of a conversation that was set aside."""
    return DeadLetter(
        at=new.at,
        reason=Reason.BURST,
        field="user_id",
        message=f"user_id: its user sent more than {limit.conversations} conversations within {limit.within}",
        key=new.key,
        value=new.value,
        when=now,
        digest=new.record_sha256,
        size=new.size,
    )


def _span(at_us: int, span_us: int) -> int:
    """Return the number of the span that a moment is in, counted towards zero, as databases divide."""
    return at_us // span_us if at_us >= 0 else -(-at_us // span_us)


def _counted(
    connection: Connection, new_ones: Sequence[NewConversation], spans: Sequence[int], span_us: int
) -> dict[tuple[str | None, int], int]:
    """Count what is in the ledger already of the users of these conversations, in the spans of these."""
    users = {new.user_hash for new in new_ones if new.user_hash is not None}
    if not users:
        return {}
    at = type_coerce(conversations.c.at, BigInteger)
    span = at // span_us
    query = (
        select(conversations.c.user_hash, span, func.count())
        .where(
            in_values(connection, conversations.c.user_hash, users)
            & at.between((min(spans) - 1) * span_us, (max(spans) + 1) * span_us)
        )
        .group_by(conversations.c.user_hash, span)
    )
    return {(user, number): count for user, number, count in connection.execute(query)}


def _released(
    connection: Connection, new_ones: Sequence[NewConversation]
) -> frozenset[tuple[Coordinates | None, str | None]]:
    """Return which records were set aside, by their coordinates and digests, among those that these say to be."""
    digests = {new.record_sha256 for new in new_ones if new.requeued is not None}
    if not digests:
        return frozenset()
    letter = dead_letters.c
    query = select(letter.topic, letter.partition, letter.offset, letter.digest).where(
        (letter.reason == Reason.BURST) & in_values(connection, letter.digest, digests)
    )
    return frozenset(
        (Coordinates(topic=topic, partition=partition, offset=offset), digest)
        for topic, partition, offset, digest in connection.execute(query)
    )
