"""Derives events from successive states of the daemon. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from daemon.demo.events import Event, Kind
from daemon.demo.evidence import WindowFact
from daemon.demo.read_evidence import window_fact
from daemon.demo.window_events import alarm_event, window_event
from daemon.domain.conversation import Conversation
from daemon.domain.decisions import Action
from daemon.domain.runs import RunState
from daemon.views.status import StatusView
from registry.types import GateReport, GateVerdict, PromotionKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What the demo has reported so far."""

    live_position: int = 0
    reference_full: bool = False
    windows: tuple[WindowFact, ...] = ()  # all judged so far, oldest first
    alarmed: bool = False
    triaged: int = 0  # window of the last triaged alarm
    decision: int = 0
    decided: str = ""  # the decision as last reported
    run: str | None = None
    run_state: RunState | None = None
    candidate: str | None = None
    looks: int = 0


def observe(
    seen: Seen, now: StatusView, conversations: Mapping[str, Conversation]
) -> tuple[Seen, tuple[Event, ...]]:
    """Compare a state with what was reported before; return what is reported now, and the new events.

    ``conversations`` gives the text of examples by their ids.
    """
    events: list[Event] = []
    for step in (_reference, _windows, _triage, _decision, _run, _candidate, _live):
        seen, new = step(seen, now, conversations)
        events += new
    return seen, tuple(events)


_Step = tuple[Seen, list[Event]]
_Texts = Mapping[str, Conversation]


def _reference(seen: Seen, now: StatusView, _: _Texts) -> _Step:
    reference = now.windows.reference
    if seen.reference_full or reference is None or reference.range is None:
        return seen, []
    text = f"the reference is full: conversations {reference.range.first} to {reference.range.last}"
    return replace(seen, reference_full=True), [Event(kind=Kind.NEUTRAL, text=text)]


def _windows(seen: Seen, now: StatusView, texts: _Texts) -> _Step:
    last = seen.windows[-1].number if seen.windows else 0
    events = []
    for judged in reversed(now.judged):
        if judged.window.number <= last:
            continue
        fact = window_fact(judged)
        seen = replace(seen, windows=(*seen.windows, fact))
        if judged.finding == "drift" and not seen.alarmed:
            seen = replace(seen, alarmed=True)
            events.append(alarm_event(fact, judged, texts))
        else:
            events.append(window_event(fact))
    return seen, events


def _triage(seen: Seen, now: StatusView, _: _Texts) -> _Step:
    triage = now.triage
    if triage is None or triage.window <= seen.triaged:
        return seen, []
    text = f"triage of the change: {triage.outcome}: {triage.reason}"
    return replace(seen, triaged=triage.window), [Event(kind=Kind.NEUTRAL, text=text)]


def _decision(seen: Seen, now: StatusView, _: _Texts) -> _Step:
    decision = now.decision
    if decision is None or decision.id is None or decision.id <= seen.decision:
        return seen, []
    seen = replace(seen, decision=decision.id)
    if decision.action is Action.NONE and decision.trigger is None:
        return seen, []  # nothing asked for a training
    kind = Kind.WORK if decision.action is Action.TRAIN else Kind.WAIT
    news = (
        decision.reason.rsplit("; ", 1)[-1] if seen.alarmed else decision.reason
    )  # the alarm was reported already
    text = f"decision: {decision.action}: {news}"
    if text == seen.decided:
        return seen, []
    return replace(seen, decided=text), [Event(kind=kind, text=text)]


def _run(seen: Seen, now: StatusView, _: _Texts) -> _Step:
    run = now.run
    if run is None or (run.id, run.state) == (seen.run, seen.run_state):
        return seen, []
    events = []
    if run.id != seen.run:
        events.append(Event(kind=Kind.WORK, text=f"run {run.id} begins: a LoRA update is trained"))
    if run.state is RunState.FINISHED and run.ended_at is not None:
        seconds = (run.ended_at - run.started_at).total_seconds()
        events.append(Event(kind=Kind.GOOD, text=f"run {run.id} finished after {seconds:.0f} s"))
    elif run.state is not RunState.RUNNING:
        events.append(Event(kind=Kind.BAD, text=f"run {run.id} {run.state}: {run.error}"))
    return replace(seen, run=run.id, run_state=run.state), events


def _candidate(seen: Seen, now: StatusView, _: _Texts) -> _Step:
    candidate = now.candidate
    if candidate is None:
        return seen, []
    events = []
    if str(candidate.name) != seen.candidate:
        seen = replace(seen, candidate=str(candidate.name), looks=0)
        text = (
            f"{candidate.name} is at the gate: it and the live version are scored on held-out conversations"
        )
        events.append(Event(kind=Kind.WORK, text=text))
    if candidate.report is not None and candidate.looks > seen.looks:
        seen = replace(seen, looks=candidate.looks)
        if candidate.report.verdict is not GateVerdict.PROMOTE:  # a pass is reported with its promotion
            events.append(_gate_event(str(candidate.name), candidate.report))
    return seen, events


def _gate_event(name: str, report: GateReport) -> Event:
    kind = {GateVerdict.PROMOTE: Kind.GOOD, GateVerdict.REJECT: Kind.BAD}.get(report.verdict, Kind.WAIT)
    details = tuple(found.reason for found in report.slices)
    return Event(kind=kind, text=f"the gate on {name}: {report.verdict}", details=details)


def _live(seen: Seen, now: StatusView, _: _Texts) -> _Step:
    live = now.live
    if live is None or live.position <= seen.live_position:
        return seen, []
    events = []
    if live.gate is not None:
        events.append(_gate_event(str(live.version), live.gate))
    words = {PromotionKind.ROLLBACK: "is live again", PromotionKind.BOOTSTRAP: "is live"}
    text = f"{live.version} {words.get(live.kind, 'is live now')}, by the {live.by.kind}"
    if live.kind is not PromotionKind.PROMOTION:  # its reason is the gate's, reported above
        text += f": {live.reason}"
    events.append(Event(kind=Kind.GOOD, text=text))
    return replace(seen, live_position=live.position), events
