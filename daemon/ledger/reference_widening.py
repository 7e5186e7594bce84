"""Decides whether the reference can be widened by the windows that were judged against it."""

from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import Connection, exists, func, select

from daemon.domain.reference_span import next_span
from daemon.domain.windows import ReferenceCause, SeqRange, StoredReference
from daemon.ledger.reference_filling import draw_sample
from daemon.ledger.reference_rows import newest_reference, open_freeze
from daemon.ledger.tables import alarms, conversations, detectors, windows
from daemon.ledger.triages import answered_until
from monitors.sequential.aspect_evidence import DOUBT


class WidenBlocker(StrEnum):
    """Why a reference is never widened: the live version may not handle the conversations after it."""

    OPERATOR = "by_hand"  # an operator chose its conversations
    ROLLBACK = "came_back"  # it was restored with its version
    CANT_HELP = "not_helped"  # training can't help with a change from it


def widen_blocker(connection: Connection, reference: StoredReference) -> WidenBlocker | None:
    """Return why a reference is never widened; None if it may be."""
    if reference.cause is ReferenceCause.OPERATOR:
        return WidenBlocker.OPERATOR
    if reference.cause is ReferenceCause.ROLLBACK:
        return WidenBlocker.ROLLBACK
    # The alarm of such a change is no longer pending, but no version has learned to handle the change.
    return WidenBlocker.CANT_HELP if answered_until(connection, reference.id) else None


def widened_values(connection: Connection, days: float) -> dict[str, object] | None:
    """Return the row of the newest reference, widened by all windows judged against it; None if it stays as it is.

    ``ReferenceLedger.widen`` says when it stays as it is.
    """
    reference = newest_reference(connection)
    if reference is None or reference.range is None or widen_blocker(connection, reference) is not None:
        return None
    cycle = timedelta(days=days)
    if reference.spanned >= cycle or open_freeze(connection) is not None:
        return None
    if _has_evidence_of_change(connection, reference.id):
        return None  # a wider one would discard the evidence and include the conversations that gave it
    judged = (windows.c.reference_id == reference.id) & windows.c.judged_at.is_not(None)
    until = connection.scalar(select(func.max(windows.c.last_seq)).where(judged)) or 0
    unjudged_alarm = (alarms.c.reference_id == reference.id) & (alarms.c.seq > until)
    if until <= reference.range.last or connection.scalar(select(exists().where(unjudged_alarm))):
        return None
    needed = next_span(reference.spanned, cycle)
    latest = connection.scalar(select(conversations.c.at).where(conversations.c.seq == until))
    if latest is not None and reference.since is not None and latest - reference.since < needed:
        return None  # too early by this estimate, which spares drawing the sample; each judged window is a new try
    sample = draw_sample(connection, SeqRange(first=reference.range.first, last=until), reference.size)
    if sample.until - sample.since < needed:
        return None
    same = {"version": reference.version, "size": reference.size, "after_seq": reference.after_seq}
    return {**same, **asdict(sample)}


def _has_evidence_of_change(connection: Connection, reference_id: int) -> bool:
    """Return whether the detector's evidence for a change in any aspect exceeds ``DOUBT``."""
    state = connection.scalar(select(detectors.c.state).where(detectors.c.reference_id == reference_id)) or {}
    return any(stake["wealth"] > DOUBT for stake in state.get("stakes", {}).values())
