"""Finds what led to what: the windows behind a decision, the decisions about one drift."""

from sqlalchemy import Engine, exists, select

from daemon.domain.decisions import Decision
from daemon.ledger.database import reader
from daemon.ledger.decisions import decision_of
from daemon.ledger.recurrences import FINDINGS, RECURRENCE
from daemon.ledger.tables import alarms, decisions, verdicts, windows
from daemon.ledger.windows import JudgedWindow, WindowLedger
from monitors.sequential.pending_alarm import LOOKS
from monitors.window.recurrence_result import Recurrence


class ProvenanceLedger:
    """Follows the references between facts backwards."""

    def __init__(self, engine: Engine) -> None:
        self._reads = reader(engine)
        self._windows = WindowLedger(engine)

    def alarm_window(self, decision: Decision) -> JudgedWindow | None:
        """Return the window in which the alarm was raised that a decision was about."""
        began = alarms.c.since_seq == decision.since_seq
        raised = exists().where(began & alarms.c.seq.between(windows.c.first_seq, windows.c.last_seq))
        told = (windows.c.finding == "drift") & (windows.c.first_seq == decision.since_seq)
        query = (
            select(windows.c.number)
            .where(windows.c.judged_at.is_not(None) & (raised | told))
            .order_by(windows.c.number)
            .limit(1)
        )
        with self._reads.begin() as connection:
            number = connection.scalar(query)
        return None if number is None else self._windows.window(number)

    def recurrence_reason(self, window: int) -> str | None:
        """Say which earlier reference fits a drift again: what the window of the alarm, or one to confirm it, found."""
        returned = (verdicts.c.monitor == RECURRENCE) & (verdicts.c.finding == FINDINGS[Recurrence.RETURNED])
        query = (
            select(verdicts.c.reason)
            .where(verdicts.c.window.between(window, window + LOOKS))
            .where(returned)
            .order_by(verdicts.c.window.desc())
        )
        with self._reads.begin() as connection:
            return connection.scalar(query.limit(1))

    def earlier_decisions(self, decision: Decision, limit: int) -> tuple[Decision, ...]:
        """Return the decisions before this one on the same matter, the oldest first: what it waited for."""
        query = (
            select(decisions)
            .where(
                (decisions.c.id < decision.id)
                & (decisions.c.since_seq == decision.since_seq)
                & (decisions.c.trigger == decision.trigger)
            )
            .order_by(decisions.c.id.desc())
            .limit(limit)
        )
        with self._reads.begin() as connection:
            found = [decision_of(row) for row in connection.execute(query).mappings()]
        return tuple(reversed(found))
