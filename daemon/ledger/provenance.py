"""Finds the causes of decisions: the window of the alarm, and earlier decisions on the same change."""

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
    """Follows facts back to their causes."""

    def __init__(self, engine: Engine) -> None:
        self._reads = reader(engine)
        self._windows = WindowLedger(engine)

    def alarm_window(self, decision: Decision) -> JudgedWindow | None:
        """Return the window in which the alarm was raised that a decision was about; None if it is no longer stored."""
        same_change = alarms.c.since_seq == decision.since_seq
        raised = exists().where(same_change & alarms.c.seq.between(windows.c.first_seq, windows.c.last_seq))
        begins_with_change = (windows.c.finding == "drift") & (windows.c.first_seq == decision.since_seq)
        query = (
            select(windows.c.number)
            .where(windows.c.judged_at.is_not(None) & (raised | begins_with_change))
            .order_by(windows.c.number)
            .limit(1)
        )
        with self._reads.begin() as connection:
            number = connection.scalar(query)
        return None if number is None else self._windows.window(number)

    def recurrence_reason(self, window: int) -> str | None:
        """Return the reason why a drift is a return to an earlier reference; None if it is not.

        It is searched in the window of the alarm, ``window``, and in those that may confirm the alarm.
        """
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
        """Return the ``limit`` newest decisions before this one with the same change and trigger, oldest first."""
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
            newest_first = [decision_of(row) for row in connection.execute(query).mappings()]
        return tuple(reversed(newest_first))
