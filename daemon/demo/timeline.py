"""Turns looks at the daemon's state into events: what is new since the look before. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from daemon.demo.evidence import WindowFact, window_fact
from daemon.domain.conversation import Conversation
from daemon.domain.decisions import Action
from daemon.domain.runs import RunState
from daemon.ledger.windows import JudgedWindow
from daemon.views.status import Overview
from registry.types import GateReport, GateVerdict, PromotionKind

_WORDS = 8
_EXAMPLES = 3
_EXAMPLE_CHARS = 100


class Kind(StrEnum):
    """What sort of thing happened, for colours."""

    NEUTRAL = "neutral"
    GOOD = "good"
    ALARM = "alarm"
    WAIT = "wait"
    WORK = "work"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One thing that happened, for people."""

    kind: Kind
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What was told already."""

    live_position: int = 0
    reference_full: bool = False
    windows: tuple[WindowFact, ...] = ()  # all judged so far, oldest first
    alarmed: bool = False
    triaged: int = 0  # the window whose alarm was looked into
    decision: int = 0
    decided: str = ""  # as told last
    run: str | None = None
    run_state: RunState | None = None
    candidate: str | None = None
    looks: int = 0


def observe(
    seen: Seen, now: Overview, conversations: Mapping[str, Conversation]
) -> tuple[Seen, tuple[Event, ...]]:
    """Compare a look with what was told already; return what is told now, and the events.

    ``conversations`` gives the text of examples by their ids.
    """
    events: list[Event] = []
    for step in (_reference, _windows, _triage, _decision, _run, _candidate, _live):
        seen, told = step(seen, now, conversations)
        events += told
    return seen, tuple(events)


_Step = tuple[Seen, list[Event]]
_Texts = Mapping[str, Conversation]


def _reference(seen: Seen, now: Overview, _: _Texts) -> _Step:
    reference = now.windows.reference
    if seen.reference_full or reference is None or reference.range is None:
        return seen, []
    text = f"the reference is full: conversations {reference.range.first} to {reference.range.last}"
    return replace(seen, reference_full=True), [Event(kind=Kind.NEUTRAL, text=text)]


def _windows(seen: Seen, now: Overview, texts: _Texts) -> _Step:
    last = seen.windows[-1].number if seen.windows else 0
    events = []
    for judged in reversed(now.judged):
        if judged.window.number <= last:
            continue
        fact = window_fact(judged)
        seen = replace(seen, windows=(*seen.windows, fact))
        if judged.finding == "drift" and not seen.alarmed:
            seen = replace(seen, alarmed=True)
            events.append(_alarm(fact, judged, texts))
        else:
            events.append(_window_event(fact))
    return seen, events


def _window_event(fact: WindowFact) -> Event:
    kind = {"stable": Kind.NEUTRAL, "drift": Kind.ALARM}.get(fact.finding, Kind.WAIT)
    numbers = (
        ""
        if fact.score is None or fact.threshold is None
        else f", drift score {fact.score:.2f} of {fact.threshold:.2f}"
    )
    return Event(
        kind=kind,
        text=f"window {fact.number} (conversations {fact.first} to {fact.last}): {fact.finding}{numbers}",
    )


def _alarm(fact: WindowFact, judged: JudgedWindow, texts: _Texts) -> Event:
    return Event(
        kind=Kind.ALARM,
        text=f"ALARM in window {fact.number} (conversations {fact.first} to {fact.last}): {fact.reason}",
        details=tuple(_changes(judged.explanation or {}, texts)),
    )


def _changes(explanation: Mapping[str, object], texts: _Texts) -> Iterator[str]:
    """Say what changed: words, descriptors, the share that is new, examples."""
    changes = [change for change in _list(explanation.get("changes")) if isinstance(change, dict)]
    for sign, title in ((1, "more often"), (-1, "less often")):
        words = [str(c["name"]) for c in changes if c["aspect"] == "word" and _number(c["score"]) * sign > 0]
        if words:
            yield f"{title}: {', '.join(words[:_WORDS])}"
    for change in [change for change in changes if change["aspect"] == "descriptor"][:3]:
        yield f"{change['name']}: {_number(change['reference']):.2f} -> {_number(change['window']):.2f}"
    if "share_new" in explanation:
        yield f"at least {_number(explanation['share_new']):.0%} of the window is new"
    for id_ in _list(explanation.get("examples"))[:_EXAMPLES]:
        if isinstance(id_, str) and id_ in texts:
            yield f"for example: {_opening(texts[id_])}"


def _opening(conversation: Conversation) -> str:
    text = " ".join(conversation.messages[0].content.split())
    return f"“{text if len(text) <= _EXAMPLE_CHARS else text[: _EXAMPLE_CHARS - 1] + '…'}”"


def _triage(seen: Seen, now: Overview, _: _Texts) -> _Step:
    triage = now.triage
    if triage is None or triage.window <= seen.triaged:
        return seen, []
    text = f"looked into, does the change hurt? {triage.outcome}: {triage.reason}"
    return replace(seen, triaged=triage.window), [Event(kind=Kind.NEUTRAL, text=text)]


def _decision(seen: Seen, now: Overview, _: _Texts) -> _Step:
    decision = now.decision
    if decision is None or decision.id is None or decision.id <= seen.decision:
        return seen, []
    seen = replace(seen, decision=decision.id)
    if decision.action is Action.NONE and decision.trigger is None:
        return seen, []  # nothing asked for a training
    kind = Kind.WORK if decision.action is Action.TRAIN else Kind.WAIT
    news = (
        decision.reason.rsplit("; ", 1)[-1] if seen.alarmed else decision.reason
    )  # the alarm was told already
    text = f"decision: {decision.action}: {news}"
    if text == seen.decided:
        return seen, []
    return replace(seen, decided=text), [Event(kind=kind, text=text)]


def _run(seen: Seen, now: Overview, _: _Texts) -> _Step:
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


def _candidate(seen: Seen, now: Overview, _: _Texts) -> _Step:
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
        if candidate.report.verdict is not GateVerdict.PROMOTE:  # a pass is told with its promotion
            events.append(_gate_event(str(candidate.name), candidate.report))
    return seen, events


def _gate_event(name: str, report: GateReport) -> Event:
    kind = {GateVerdict.PROMOTE: Kind.GOOD, GateVerdict.REJECT: Kind.BAD}.get(report.verdict, Kind.WAIT)
    details = tuple(found.reason for found in report.slices)
    return Event(kind=kind, text=f"the gate on {name}: {report.verdict}", details=details)


def _live(seen: Seen, now: Overview, _: _Texts) -> _Step:
    live = now.live
    if live is None or live.position <= seen.live_position:
        return seen, []
    events = []
    if live.gate is not None:
        events.append(_gate_event(str(live.version), live.gate))
    words = {PromotionKind.ROLLBACK: "is live again", PromotionKind.BOOTSTRAP: "is live"}
    text = f"{live.version} {words.get(live.kind, 'is live now')}, by the {live.by.kind}"
    if live.kind is not PromotionKind.PROMOTION:  # whose reason is the gate's, just told
        text += f": {live.reason}"
    events.append(Event(kind=Kind.GOOD, text=text))
    return replace(seen, live_position=live.position), events


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
