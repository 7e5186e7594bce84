"""Erases the conversations that tombstones of a compacted topic name, within the intake's transaction."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from sqlalchemy import Connection

from daemon.domain.records import Tombstone
from daemon.ledger.erasures import append_entries
from daemon.ledger.subject_removal import Removal, remove_subjects
from daemon.ledger.subject_rows import Subject

#: Who erased, in the log of erasures.
_ACTOR = "tombstone"


def erase_deleted(
    connection: Connection, tombstones: Sequence[Tombstone], *, erased: AbstractSet[str], now: datetime
) -> list[Removal]:
    """Erase each conversation that a tombstone names, with an entry of its own; return what was taken out.

    Of two tombstones of one conversation the first counts. A conversation that is ``erased`` already, and of which nothing
    is left, gets no second entry: the topic may be read again. One that the ledger does not know gets its entry, since
    its records must be dropped if they come later.
    """
    first: dict[str, Tombstone] = {}
    for tombstone in tombstones:
        first.setdefault(tombstone.conversation_hash, tombstone)
    if not first:
        return []
    subjects = [
        Subject(kind="conversation", id=tombstone.conversation_id, hash=hash_)
        for hash_, tombstone in first.items()
    ]
    removals = [
        removal
        for removal in remove_subjects(connection, subjects)
        if removal.took_rows or removal.subject.hash not in erased
    ]
    reasons = [_reason(first[removal.subject.hash]) for removal in removals]
    append_entries(connection, list(zip(removals, reasons, strict=True)), by=_ACTOR, now=now)
    return removals


def _reason(tombstone: Tombstone) -> str:
    at = tombstone.at
    return f"the topic holds a tombstone at {at.topic}/{at.partition}@{at.offset}"
