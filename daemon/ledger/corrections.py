"""Names for each conversation the newest correction that came after it, and reads corrections by their digests."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, select, update

from daemon.domain.records import Coordinates, StoredCorrection
from daemon.ledger.first_opinions import NEWEST_FIRST
from daemon.ledger.other_answers import name_other_answers
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import conversations, feedback


def join_corrections(connection: Connection, ids: Collection[str]) -> None:
    """Name in conversations with these ids their newest correction, in whatever order both arrived."""
    which = in_values(connection, conversations.c.conversation_id, ids)
    newest = (
        select(feedback.c.digest)
        .where(feedback.c.conversation_id == conversations.c.conversation_id)
        .where(feedback.c.correction.is_not(None))
        .order_by(*NEWEST_FIRST)
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(update(conversations).where(which).values(corrected_by=newest))
    name_other_answers(connection, which)


def corrections_by_digest(connection: Connection, digests: Iterable[str]) -> dict[str, StoredCorrection]:
    """Return the corrections of these feedback records, by digest; those that are gone are left out."""
    column = feedback.c
    columns = (column.digest, column.topic, column.partition, column.offset, column.correction)
    wanted = in_values(connection, column.digest, digests) & column.correction.is_not(None)
    return {
        digest: StoredCorrection(
            digest=digest, at=Coordinates(topic=topic, partition=partition, offset=offset), text=text
        )
        for digest, topic, partition, offset, text in connection.execute(select(*columns).where(wanted))
    }
