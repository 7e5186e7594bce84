"""Why a version is live: the chain from drift to promotion, and the decisions since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.domain.alarms import Triage
from daemon.domain.answer_pairs import AnswerPair
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.runs import Run, RunState
from daemon.domain.situation import Situation
from daemon.domain.windows import SeqRange
from daemon.ledger.provenance import ProvenanceLedger
from daemon.ledger.stores import Stores
from daemon.ledger.windows import JudgedWindow
from daemon.training.planned_run import from_json
from daemon.views.explanation import explanation_of
from daemon.views.left_out import answers_left_out_by, skipped_by
from daemon.views.orders import OrdersInForce
from daemon.views.status import StatusView
from monitors.types import Explanation
from registry.line_logs import outlined_bar, read_outline
from registry.names import VersionName
from registry.restrictions import Bar
from registry.transitions import explain_bar
from registry.types import GateReport, OffsetRange, Promotion, Version

_ANSWERS_SHOWN = 5
_DECISIONS_READ = 200
_SPELLS_SHOWN = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftFound:
    """A window with drift, and what changed in it."""

    window: JudgedWindow
    explanation: Explanation | None
    recurrence: str | None = None  # a sentence, if an earlier reference fits the window again


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRun:
    """A run and its data."""

    id: str
    state: RunState
    started_at: datetime
    ended_at: datetime | None
    error: str | None
    new: int
    replay: int
    span: SeqRange  # of the new conversations
    sources: tuple[OffsetRange, ...]
    result: Mapping[str, object] | None
    left_out: Mapping[str, int]  # new conversations that curation did not take, by reason
    skipped: Mapping[str, int]  # of the training file, those that the run could not learn from, by reason
    left_out_answers: Mapping[str, int]  # answers of the other conversations that were not learned, by reason
    lessons: Mapping[str, int]  # of its training set by kind, those of replay as one kind


@dataclass(frozen=True, kw_only=True, slots=True)
class PromotionChain:
    """The links from drift to promotion; a link that does not exist is None or empty."""

    version: VersionName
    live: bool
    base: bool
    drift: DriftFound | None
    triage: Triage | None  # whether the change was harmful
    waited: tuple[Decision, ...]  # earlier decisions on the same drift and trigger
    decision: Decision | None
    run: TrainingRun | None
    gate: tuple[GateReport, ...]
    promotions: tuple[Promotion, ...]  # entries that made it live
    replaced_by: tuple[Promotion, ...]  # entries that replaced it
    bar: Bar | None = None  # why it does not go live by itself
    answers: tuple[AnswerPair, ...] = ()  # its own and the version's that was live, at the gate's newest look


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionStreak:
    """Consecutive decisions with the same trigger and action."""

    trigger: Trigger | None
    action: Action
    count: int
    since: datetime
    last: Decision


@dataclass(frozen=True, kw_only=True, slots=True)
class RecentActivity:
    """The latest decisions, and the obstacles to the next version."""

    drift: DriftFound | None  # that caused the last decision
    triage: Triage | None
    spells: tuple[DecisionStreak, ...]  # newest first
    obstacles: tuple[str, ...]  # each a sentence
    situation: Situation  # what is going on, in one statement


def promotion_chain(stores: Stores, name: VersionName) -> PromotionChain:
    """Follow a version back to its cause. Raises VersionNotFound."""
    version = stores.versions.version(name)
    promotions = tuple(stores.versions.promotions_of(name))
    newest = stores.versions.newest_promotion(name.line)
    following = stores.versions.promotions_at(name.line, {entry.position + 1 for entry in promotions})
    run = stores.runs.run(version.run) if version.run else None
    decision = stores.decisions.decision(run.decision_id) if run else None
    reasons = ProvenanceLedger(stores.engine)
    return PromotionChain(
        version=name,
        live=newest is not None and newest.version == name,
        base=version.artifact is None,
        drift=_drift(reasons, decision) if decision else None,
        triage=stores.triages.of_decision(decision) if decision else None,
        waited=reasons.earlier_decisions(decision, _ANSWERS_SHOWN) if decision else (),
        decision=decision,
        run=_learned(run, version) if run else None,
        gate=tuple(stores.versions.gate_reports(name)),
        promotions=promotions,
        replaced_by=tuple(following),
        bar=outlined_bar(stores.versions, name, read_outline(stores.versions, name.line)),
        answers=tuple(stores.gate_answers.of(str(name))),
    )


def recent_activity(stores: Stores, seen: StatusView, *, automatic: bool) -> RecentActivity:
    """Read the latest decisions, and what is in the way of the next version."""
    recent = stores.decisions.recent(_DECISIONS_READ)
    last = recent[0] if recent and recent[0].trigger is Trigger.DRIFT else None
    return RecentActivity(
        drift=_drift(ProvenanceLedger(stores.engine), last) if last else None,
        triage=stores.triages.of_decision(last) if last else None,
        spells=tuple(decision_streaks(recent)[:_SPELLS_SHOWN]),
        obstacles=tuple(_obstacles(seen, automatic=automatic)),
        situation=seen.situation,
    )


def _drift(reasons: ProvenanceLedger, decision: Decision) -> DriftFound | None:
    """Return the change that a decision was about."""
    alarm = reasons.alarm_window(decision)
    if alarm is None:
        return None
    recurrence = reasons.recurrence_reason(alarm.window.number)
    return DriftFound(window=alarm, explanation=explanation_of(alarm), recurrence=recurrence)


def decision_streaks(decisions: Sequence[Decision]) -> list[DecisionStreak]:
    """Join consecutive decisions (newest first) with the same trigger and action."""
    found: list[DecisionStreak] = []
    for decision in decisions:
        if found and (found[-1].trigger, found[-1].action) == (decision.trigger, decision.action):
            last = found.pop()
            found.append(
                DecisionStreak(
                    trigger=last.trigger,
                    action=last.action,
                    count=last.count + 1,
                    since=decision.at,
                    last=last.last,
                )
            )
        else:
            found.append(
                DecisionStreak(
                    trigger=decision.trigger,
                    action=decision.action,
                    count=1,
                    since=decision.at,
                    last=decision,
                )
            )
    return found


def _obstacles(seen: StatusView, *, automatic: bool) -> list[str]:
    """Return the obstacles to the next version, each as a sentence."""
    obstacles = []
    reference = seen.windows.reference
    if reference is not None and reference.range is None:
        obstacles.append(
            f"no window can be judged yet: the reference has {seen.windows.collected} of {reference.size} conversations"
        )
    if seen.freeze is not None:
        obstacles.append(
            f"the reference is frozen by {seen.freeze.by}, so it follows neither time nor versions: "
            f"{seen.freeze.why or 'no reason given'}"
        )
    obstacles += _order_obstacles(seen.orders)
    if seen.windows.waiting:
        obstacles.append(f"closed windows that wait to be judged: {seen.windows.waiting}")
    if seen.wish is not None:
        obstacles.append(
            f"the request of {seen.wish.by} ({seen.wish.reason}) waits for the daemon's decision"
        )
    if seen.run is not None and seen.run.state is RunState.RUNNING:
        if seen.orders.cancel is None:
            goes_on = "goes on" if seen.orders.pause is None else "is suspended"
            obstacles.append(f"run {seen.run.id} {goes_on}")
    elif seen.run is not None and seen.run.state is RunState.FAILED:
        obstacles.append(f"the last run, {seen.run.id}, failed: {seen.run.error}")
    if seen.teacher is not None and seen.teacher.problem is not None:
        obstacles.append(seen.teacher.problem)
    return obstacles + _gate_obstacles(seen, automatic=automatic)


def _order_obstacles(orders: OrdersInForce) -> list[str]:
    """Return what operators ordered that keeps the next version from being trained or released."""
    obstacles = []
    if orders.hold is not None:
        obstacles.append(f"{orders.hold}; `retuned unhold -m REASON` ends it")
    if orders.pause is not None:
        by, why = orders.pause.by.name, orders.pause.reason
        obstacles.append(f"training is paused by {by}: {why}; `retuned resume -m REASON` lets it go on")
    if orders.cancel is not None:
        by, why = orders.cancel.by.name, orders.cancel.reason
        obstacles.append(
            f"run {orders.cancel.subject} is cancelled by {by}: {why}; it ends at the daemon's next turn"
        )
    if orders.bar is not None and orders.barred is not None:
        obstacles.append(f"{explain_bar(orders.barred, orders.bar)}; only a person puts it live")
    return obstacles


def _gate_obstacles(seen: StatusView, *, automatic: bool) -> list[str]:
    """Return what the candidate at the gate waits for."""
    candidate = seen.candidate
    if candidate is None:
        return []
    report = candidate.report
    if report is None:
        return [f"{candidate.name} waits for the gate's first answer"]
    if report.verdict == "promote" and not automatic:
        return [f"{candidate.name} passed the gate and waits for `retuned promote v{candidate.name.number}`"]
    needs = [
        f"{found.name} needs {found.needed} more held-out conversations"
        for found in report.slices
        if found.needed
    ]
    more = f" ({'; '.join(needs)})" if needs and candidate.open else ""
    return [f"the gate said {report.verdict} to {candidate.name}: {report.reason}{more}"]


def _learned(run: Run, version: Version) -> TrainingRun:
    dataset = from_json(run.request).dataset
    return TrainingRun(
        id=run.id,
        state=run.state,
        started_at=run.started_at,
        ended_at=run.ended_at,
        error=run.error,
        new=dataset.new,
        replay=dataset.replay,
        span=dataset.span,
        sources=version.lineage.sources,
        result=run.result,
        left_out=dataset.left_out,
        skipped=skipped_by(run),
        left_out_answers=answers_left_out_by(run),
        lessons=dataset.lessons,
    )
