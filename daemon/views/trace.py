"""Tells a model line's recent past as spans of traces: from an alarm over run and gate to promotion or rollback.

All is derived from the ledger, so a trace goes on after a restart and under another leader.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from daemon.domain.child_work import ChildWork
from daemon.domain.runs import RunState
from daemon.domain.spans import Attribute, Span, span_id, trace_id
from daemon.ledger.trace_facts import AlarmFact, DecisionFact, RunFact, TraceFacts, TriageFact
from registry.names import VersionName
from registry.store import Store
from registry.types import Promotion, PromotionKind

#: The newest entries of the promotion log that are looked at.
_ENTRIES = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cause:
    """What began a trace: a change of the stream, or a decision without one."""

    trace: str
    root: str  # the id of its first span


class LineTraces:
    """The traces of one model line."""

    def __init__(self, facts: TraceFacts, versions: Store, *, ledger: str, model_line: str) -> None:
        """``ledger`` is the ledger's id."""
        self._facts = facts
        self._versions = versions
        self._ledger = ledger
        self._model_line = model_line

    def ended_since(self, since: datetime) -> Iterator[Span]:
        """Yield the spans that ended since a moment, each after the one that led to it."""
        return (span for span in self._all(since) if span.end >= since)

    def _all(self, since: datetime) -> Iterator[Span]:
        """Yield the spans that something since that moment is about."""
        yield from (self._alarm(alarm) for alarm in self._facts.alarms(since))
        for triage in self._facts.triages(since):
            yield from self._answer(self._change(triage.since_seq), triage)
        for decision in self._facts.decisions(since):
            yield from self._decision(decision)
        for run in self._facts.runs(since):
            yield from self._run(run)
        yield from self._gate()
        yield from self._entries()

    def of_child(self, work: ChildWork) -> Span | None:
        """Return the span of a child's work: below its run, else below the newest one; None where there is none."""
        run = work.run or self._facts.newest_run()
        found = None if run is None else self._of_run(run)
        if found is None:
            return None
        cause, parent = found
        key = work.start.timestamp()
        span = self._span(cause, work.name, key=key, parent=parent, start=work.start, end=work.end)
        return replace(span, attributes={**span.attributes, **work.attributes})

    def _change(self, since_seq: int) -> _Cause:
        trace = trace_id(self._ledger, "change", since_seq)
        return _Cause(trace=trace, root=span_id(trace, "alarm"))

    def _cause(self, decision: DecisionFact) -> _Cause:
        if decision.on_drift:
            return self._change(decision.since_seq)
        trace = trace_id(self._ledger, "decision", decision.id)
        return _Cause(trace=trace, root=span_id(trace, "decision", decision.id))

    def _of_run(self, run: str) -> tuple[_Cause, str] | None:
        """Return the cause of a run and the id of its span."""
        fact = self._facts.run(run)
        decision = None if fact is None else self._facts.decision(fact.decision)
        if decision is None:
            return None
        cause = self._cause(decision)
        return cause, span_id(cause.trace, "run", run)

    def _alarm(self, alarm: AlarmFact) -> Span:
        cause = self._change(alarm.since_seq)
        return self._span(cause, "alarm", start=alarm.began, end=alarm.at, since_seq=alarm.since_seq)

    def _answer(self, cause: _Cause, triage: TriageFact) -> Iterator[Span]:
        """Yield what led from an alarm to its triage."""
        confirmed = yield from self._confirm(cause, triage.since_seq, triage.at)
        yield self._span(
            cause, "triage", parent=cause.root, start=confirmed, end=triage.at, outcome=triage.outcome
        )

    def _confirm(self, cause: _Cause, since_seq: int, until: datetime) -> Generator[Span, None, datetime]:
        """Yield the windows that were judged after an alarm, and around them its confirmation; return when that ended."""
        alarm = self._facts.alarm(since_seq)
        if alarm is None:
            return until
        judged = self._facts.judged(alarm.at, until)
        confirmed = judged[-1].at if judged else alarm.at
        confirm = span_id(cause.trace, "confirm")
        yield self._span(
            cause, "confirm", parent=cause.root, start=alarm.at, end=confirmed, windows=len(judged)
        )
        for window in judged:
            yield self._span(
                cause,
                "judge",
                key=window.number,
                parent=confirm,
                start=max(window.closed_at, alarm.at),
                end=window.at,
                window=window.number,
                finding=window.finding,
            )
        return confirmed

    def _decision(self, decision: DecisionFact) -> Iterator[Span]:
        cause, start, parent = self._cause(decision), decision.at, None
        if decision.on_drift:
            parent = cause.root
            triage = self._facts.triage(decision.since_seq)
            if triage is None:
                start = yield from self._confirm(cause, decision.since_seq, decision.at)
            else:
                start = triage.at
        yield self._span(
            cause,
            "decision",
            key=decision.id,
            parent=parent,
            start=min(start, decision.at),
            end=decision.at,
            decision=decision.id,
            trigger=decision.trigger or "none",
            decided=decision.action,
        )

    def _run(self, run: RunFact) -> Iterator[Span]:
        decision = self._facts.decision(run.decision)
        if decision is None:
            return
        cause = self._cause(decision)
        parent = span_id(cause.trace, "decision", decision.id)
        yield self._span(
            cause, "plan", key=run.id, parent=parent, start=decision.at, end=run.started_at, run=run.id
        )
        if run.ended_at is not None:
            failed = run.state == RunState.FAILED
            yield self._span(
                cause,
                "run",
                key=run.id,
                parent=parent,
                start=run.started_at,
                end=run.ended_at,
                error=_kind_of(run.error) if failed else None,
                run=run.id,
                state=run.state,
            )

    def _gate(self) -> Iterator[Span]:
        last: dict[int, datetime] = {}
        for number, at, report in self._facts.gate_reports(self._model_line):
            name = VersionName(self._model_line, number)
            run = self._versions.version(name).run
            found = None if run is None else self._of_run(run)
            if run is None or found is None:
                continue
            fact = self._facts.run(run)
            began = last.get(number) or (fact.ended_at if fact else None) or at
            last[number] = at
            yield self._span(
                found[0],
                "gate",
                key=f"{number}/{report.look}",
                parent=found[1],
                start=min(began, at),
                end=at,
                version=str(name),
                run=run,
                look=report.look,
                verdict=report.verdict.value,
                conversations=sum(each.conversations for each in report.slices),
            )

    def _entries(self) -> Iterator[Span]:
        newest = self._versions.newest_promotion(self._model_line)
        if newest is None:
            return
        first = max(1, newest.position - _ENTRIES + 1)
        for entry in self._versions.promotions_at(self._model_line, range(first, newest.position + 1)):
            if (span := self._entry(entry)) is not None:
                yield span

    def _entry(self, entry: Promotion) -> Span | None:
        """Return the span of an entry of the promotion log: a rollback belongs to the version that it replaced."""
        back = entry.kind is PromotionKind.ROLLBACK
        about = entry.previous if back else entry.version
        run = None if about is None else self._versions.version(about).run
        found = None if run is None else self._of_run(run)
        if run is None or found is None:
            return None
        return self._span(
            found[0],
            "rollback" if back else "promotion",
            key=entry.position,
            parent=found[1],
            start=entry.at,
            end=entry.at,
            version=str(entry.version),
            run=run,
            position=entry.position,
            forced=int(entry.forced),
        )

    def _span(
        self,
        cause: _Cause,
        name: str,
        *,
        start: datetime,
        end: datetime,
        key: object = "",
        parent: str | None = None,
        error: str | None = None,
        **attributes: Attribute,
    ) -> Span:
        return Span(
            trace=cause.trace,
            id=span_id(cause.trace, name, key),
            parent=parent,
            name=name,
            start=start,
            end=max(start, end),
            attributes={"model_line": self._model_line, **attributes},
            error=error,
        )


def _kind_of(error: str | None) -> str:
    """Return the name of an error's class, which its message begins with; the message is no part of a trace."""
    kind = (error or "").partition(":")[0]
    return kind if kind.isidentifier() else "failed"
