"""Quarantines conversations of users who send too many, so that they distort neither windows nor training."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, func, select, type_coerce

from daemon.config.settings import HygieneSection
from daemon.domain.bad_record import Reason
from daemon.domain.records import Coordinates, DeadLetter, NewConversation
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, dead_letters, microseconds

_MICROSECOND = timedelta(microseconds=1)


def quarantine(
    connection: Connection, new_ones: Sequence[NewConversation], limits: HygieneSection, *, now: datetime
) -> tuple[Sequence[NewConversation], list[DeadLetter]]:
    """Return the conversations to admit, in their order, and dead letters of the others.

    At most ``limits.burst_conversations`` of a user are admitted in each span of ``limits.burst_s``. The conversation's
    own time decides its span; spans begin at multiples of their length since 1970. So the same records are admitted
    whenever they are read. A quarantined record that an operator requeued is admitted.
    """
    most = limits.burst_conversations
    if most is None or not new_ones:
        return new_ones, []
    span = timedelta(seconds=limits.burst_s)
    span_us = span // _MICROSECOND
    spans = [_span_number(microseconds(new.conversation.at), span_us) for new in new_ones]
    counts = _stored_counts(connection, new_ones, spans, span_us)
    requeued = _requeued(connection, new_ones)
    admitted: list[NewConversation] = []
    dead: list[DeadLetter] = []
    for new, number in zip(new_ones, spans, strict=True):
        key = (new.user_hash, number)
        count = 0 if new.user_hash is None else counts.get(key, 0)
        if count < most or (new.requeued, new.record_sha256) in requeued:
            counts[key] = count + 1
            admitted.append(new)
        else:
            dead.append(_burst_dead_letter(new, most, span, now))
    return admitted, dead


def _burst_dead_letter(new: NewConversation, most: int, span: timedelta, now: datetime) -> DeadLetter:
    return DeadLetter(
        at=new.at,
        reason=Reason.BURST,
        field="user_id",
        message=f"user_id: its user sent more than {most} conversations within {span}",
        key=new.key,
        value=new.value,
        when=now,
        digest=new.record_sha256,
        size=new.size,
    )


def _span_number(at_us: int, span_us: int) -> int:
    """Return the number of the span that contains a moment. The division rounds towards zero, as in the databases."""
    return at_us // span_us if at_us >= 0 else -(-at_us // span_us)


def _stored_counts(
    connection: Connection, new_ones: Sequence[NewConversation], spans: Sequence[int], span_us: int
) -> dict[tuple[str | None, int], int]:
    """Count the stored conversations of the same users, by user and span."""
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


def _requeued(
    connection: Connection, new_ones: Sequence[NewConversation]
) -> frozenset[tuple[Coordinates | None, str | None]]:
    """Return the quarantined records that these were requeued from, as (coordinates, digest)."""
    digests = {new.record_sha256 for new in new_ones if new.requeued is not None}
    if not digests:
        return frozenset()
    column = dead_letters.c
    query = select(column.topic, column.partition, column.offset, column.digest).where(
        (column.reason == Reason.BURST) & in_values(connection, column.digest, digests)
    )
    return frozenset(
        (Coordinates(topic=topic, partition=partition, offset=offset), digest)
        for topic, partition, offset, digest in connection.execute(query)
    )
