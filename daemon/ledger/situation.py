"""Reads from the ledger and the registry what is going on in a model line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from sqlalchemy import Connection, select

from daemon.config.settings import Settings
from daemon.domain.alarms import Alarm, Triage
from daemon.domain.changes import changes_of
from daemon.domain.decisions import Decision
from daemon.domain.runs import RunState
from daemon.domain.situation import (
    Answer,
    AnswerFate,
    ComparedWindow,
    OpenChange,
    Situation,
    SituationFacts,
    situation_of,
)
from daemon.domain.windows import ClosedWindow, ReferenceCause, SeqRange, StoredReference
from daemon.ledger.counts import count_collected
from daemon.ledger.database import reader
from daemon.ledger.recurrences import RECURRENCE
from daemon.ledger.sql_in import in_values
from daemon.ledger.stores import Stores
from daemon.ledger.tables import runs, windows
from daemon.ledger.window_evidence import RaisedWindow, evidence_from, raised_windows
from daemon.ledger.windows import JudgedWindow
from monitors.sequential.pending_alarm import LOOKS, pending_alarm
from registry.line_logs import outlined_bar, read_outline
from registry.looks import waits_for_data
from registry.names import VersionName
from registry.types import GateReport, GateVerdict, Promotion, PromotionKind

#: Windows with an alarm that are read. A change that lasts longer seems to have begun later.
_RAISED_READ = 1_000
#: A decision that puts off a training follows within so many.
_PUT_OFF_WITHIN = 3


def read_situation(stores: Stores, settings: Settings) -> Situation:
    """Read what is going on."""
    return situation_of(situation_facts(stores, settings))


def gate_is_open(report: GateReport | None, settings: Settings) -> bool:
    """Return whether the gate has yet to decide on a candidate, and can."""
    limits = {"max_looks": settings.gate.max_looks, "limit": settings.gate.max_conversations}
    return report is None or waits_for_data(report, **limits)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    """The change from a reference that is open, or the newest one, and where its alarm was raised."""

    change: OpenChange
    reference_id: int
    raised_until: int  # seq of the last conversation of the window of the alarm


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """The newest run, without its request, which can be large."""

    id: str
    state: RunState
    until_seq: int
    started_at: datetime
    error: str | None


def situation_facts(stores: Stores, settings: Settings) -> SituationFacts:
    """Read the facts that the situation follows from."""
    reference, live = stores.windows.reference(), stores.versions.newest_promotion(settings.model_line)
    if reference is None:
        return SituationFacts(collecting="has not begun")
    name = None if live is None else str(live.version)
    awaited = _awaits_reference(stores, reference, live)
    if reference.range is None:
        collected = f"has {_collected(stores, reference)} of {reference.size} conversations"
        return SituationFacts(collecting=collected, live=name, awaits_reference=awaited)
    newest = next(iter(stores.windows.judged(limit=1)), None)
    compared = None if newest is None else _compared(newest, reference)
    changes = _changes(stores, reference)
    facts = SituationFacts(
        live=name,
        awaits_reference=not changes and (awaited or (compared is None and _is_new(reference, live))),
        compared=compared,
        on_drift=settings.policy.on_drift,
        triages=settings.policy.triage,
    )
    if newest is None or not changes:
        return facts
    learned = stores.runs.learned_until()
    facts = replace(facts, alarm=stores.windows.alarm(after_seq=learned))
    found = _change(stores, changes, facts.alarm, newest.window)
    return _with_answers(facts, found, stores, settings, live=live, learned=learned)


def _with_answers(
    facts: SituationFacts,
    found: _Change,
    stores: Stores,
    settings: Settings,
    *,
    live: Promotion | None,
    learned: int,
) -> SituationFacts:
    """Add the change, and what was done about it. ``learned``: the newest conversation that a finished run learned from."""
    run = _newest_run(stores)
    answer = None if run is None else _answer(found, run, stores, settings, live=live, learned=learned)
    triage = None if facts.alarm is None else stores.triages.of_window(facts.alarm.window)
    declined, declining = _declined(found, stores, trained_at=run.started_at if run and answer else None)
    decisive = triage or declining
    return replace(
        facts,
        change=found.change,
        work=_work(found, run, stores),
        answer=answer,
        triage=triage,
        declined=declined,
        outcome=decisive.outcome if decisive else None,
    )


def _declined(
    found: _Change, stores: Stores, *, trained_at: datetime | None
) -> tuple[str | None, Triage | None]:
    """Return why a change was answered without training, and the triage that said so.

    Both are None if it was not, or was trained on later all the same.
    """
    triage = stores.triages.declined(found.reference_id, from_window=found.change.window)
    if triage is not None:
        valid = trained_at is None or trained_at < triage.at
        return (triage.reason, triage) if valid else (None, None)
    until = stores.triages.ignored_until(found.reference_id)
    if found.change.newest_window > until:
        return None, None
    reason = f"alarms up to window {until} are passed over, as training was declined for the change before it"
    return reason, stores.triages.declined(found.reference_id, from_window=0)


def _awaits_reference(stores: Stores, reference: StoredReference, live: Promotion | None) -> bool:
    """Return whether the live version was promoted, and its reference has not begun or is not full."""
    if live is None or live.kind is not PromotionKind.PROMOTION:
        return False
    if reference.version == str(live.version):
        return reference.range is None
    return stores.references.frozen() is None


def _is_new(reference: StoredReference, live: Promotion | None) -> bool:
    """Return whether a reference began because the live version was promoted."""
    promoted = live is not None and live.kind is PromotionKind.PROMOTION
    same = live is not None and reference.version == str(live.version)
    return promoted and same and reference.cause is ReferenceCause.VERSION


def _collected(stores: Stores, reference: StoredReference) -> int:
    with reader(stores.engine).begin() as connection:
        return count_collected(connection, reference)


def _compared(newest: JudgedWindow, reference: StoredReference) -> ComparedWindow | None:
    """Return the newest judged window, if it was compared with this reference and is no part of it."""
    within = reference.range is not None and newest.window.range.last <= reference.range.last
    if newest.reference_id != reference.id or within:
        return None
    drifting = tuple(
        verdict.monitor
        for verdict in newest.verdicts
        if verdict.finding == "drift" and verdict.monitor != RECURRENCE
    )
    return ComparedWindow(number=newest.window.number, finding=newest.finding, drifting=drifting)


def _changes(stores: Stores, reference: StoredReference) -> list[list[RaisedWindow]]:
    """Return the judged windows in which an alarm was raised against a reference, by change, in order."""
    with reader(stores.engine).begin() as connection:
        raised = raised_windows(connection, reference.id, _RAISED_READ)
        distant = [last for last, later in pairwise(raised) if later.number - last.number > LOOKS]
        return changes_of(raised, _windows_behind(connection, distant))


def _windows_behind(connection: Connection, raised: Sequence[RaisedWindow]) -> list[SeqRange]:
    """Return the LOOKS windows after each of these, in order: whether they were quiet separates two changes."""
    numbers = {alarm.number + step for alarm in raised for step in range(1, LOOKS + 1)}
    if not numbers:
        return []
    named = in_values(connection, windows.c.number, sorted(numbers))
    query = select(windows.c.first_seq, windows.c.last_seq).where(named).order_by(windows.c.number)
    return [SeqRange(first=first, last=last) for first, last in connection.execute(query).all()]


def _change(
    stores: Stores, changes: Sequence[Sequence[RaisedWindow]], alarm: Alarm | None, newest: ClosedWindow
) -> _Change:
    """Return the change that an open alarm is about, else the newest one. ``newest``: the newest judged window."""
    mine = (one for one in changes if alarm and one[0].number <= alarm.window <= one[-1].number)
    raised = next(mine, changes[-1])
    first, last = raised[0], raised[-1]
    with reader(stores.engine).begin() as connection:
        kept = pending_alarm(evidence_from(connection, first.reference_id, first.number))
    ends = {window.number: window.last_seq for window in raised}
    quiet = newest.number - last.number
    # A weak change takes as long to be found again as it took at first.
    longest = max(window.seq - window.since_seq for window in raised)
    return _Change(
        change=OpenChange(
            window=first.number,
            newest_window=last.number,
            quiet=quiet,
            dropped=kept is None,
            ended=quiet >= LOOKS and newest.range.last - last.seq > 2 * longest,
        ),
        reference_id=first.reference_id,
        raised_until=first.last_seq if kept is None else ends.get(kept.window, first.last_seq),
    )


def _newest_run(stores: Stores) -> _Run | None:
    columns = (runs.c.id, runs.c.state, runs.c.until_seq, runs.c.started_at, runs.c.error)
    query = select(*columns).order_by(runs.c.started_at.desc(), runs.c.id.desc()).limit(1)
    with reader(stores.engine).begin() as connection:
        row = connection.execute(query).mappings().first()
        return None if row is None else _Run(**{**row, "state": RunState(row["state"])})


def _work(found: _Change, run: _Run | None, stores: Stores) -> str | None:
    """Return in words the training on a change that goes on or is decided on."""
    if run is not None and run.state is RunState.RUNNING and run.until_seq >= found.raised_until:
        return f"run {run.id} learns from it"
    decision = stores.decisions.open_decision()
    if decision is None or (decision.window is not None and decision.window < found.change.window):
        return None
    return None if _was_put_off(decision, stores) else "a training is decided on"


def _was_put_off(decision: Decision, stores: Stores) -> bool:
    """Return whether a training that was decided on could not start: the decision after it repeats its reason."""
    later = (stores.decisions.decision((decision.id or 0) + step) for step in range(1, _PUT_OFF_WITHIN + 1))
    return any(one is not None and one.reason.startswith(f"{decision.reason}; ") for one in later)


def _answer(
    found: _Change, run: _Run, stores: Stores, settings: Settings, *, live: Promotion | None, learned: int
) -> Answer | None:
    """Return what became of the newest training that learned from a change, or was to."""
    answer = None
    if learned >= found.raised_until:
        answer = _of_newest_version(run, stores, settings, live)
    failed = run.state in (RunState.FAILED, RunState.CANCELLED) and run.until_seq >= found.raised_until
    if failed and (answer is None or answer.fate not in (AnswerFate.OPEN, AnswerFate.PASSED)):
        return Answer(run=run.id, fate=AnswerFate.FAILED, reason=run.error or "")
    return answer


def _of_newest_version(
    run: _Run, stores: Stores, settings: Settings, live: Promotion | None
) -> Answer | None:
    """Return what became of the newest version that a run made; None where none did."""
    number = stores.versions.next_number(settings.model_line) - 1
    if number < 1:
        return None
    name = VersionName(settings.model_line, number)
    fate, reason = _fate(name, stores, settings, live)
    return Answer(run=run.id, fate=fate, version=str(name), short=f"v{number}", reason=reason)


def _fate(
    name: VersionName, stores: Stores, settings: Settings, live: Promotion | None
) -> tuple[AnswerFate, str]:
    """Return what became of a version, and why."""
    if live is not None and live.version == name:
        return AnswerFate.LIVE, ""
    if stores.versions.promotions_of(name):
        return AnswerFate.LEFT, live.reason if live is not None else ""
    bar = outlined_bar(stores.versions, name, read_outline(stores.versions, settings.model_line))
    if bar is not None and bar.version == name:
        return AnswerFate.BARRED, str(bar)
    report = next(iter(reversed(stores.versions.gate_reports(name))), None)
    if report is None or gate_is_open(report, settings):
        return AnswerFate.OPEN, ""
    if report.verdict is GateVerdict.PROMOTE:
        return AnswerFate.PASSED, report.reason
    fate = AnswerFate.REJECTED if report.verdict is GateVerdict.REJECT else AnswerFate.UNDECIDED
    return fate, report.reason
