"""The checks that a demo must pass, each with its evidence. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.demo.evidence import AnswerFact, LoopFacts, RollbackFact, StopFact, StreamFact
from daemon.demo.launch.evidence import LessonsFact, SabotageFact
from daemon.domain.runs import RunState
from registry.types import GateReport, GateVerdict, SliceReport

QUESTIONS = 3
STABLE_WINDOWS = 3
STOP_WITHIN_S = 20.0
#: Token F1 on held-out wordings: at least after the training, and below before.
F1_AFTER, F1_BEFORE = 0.8, 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that must have happened."""

    name: str
    passed: bool
    evidence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """The results of a demo; None for steps that it did not reach."""

    loop: LoopFacts | None = None
    lessons: LessonsFact | None = None  # of the launch only
    sabotage: SabotageFact | None = None  # of the launch only
    answers: tuple[AnswerFact, ...] = ()
    rollback: RollbackFact | None = None
    stop: StopFact | None = None


def check_all(findings: Findings, *, margin: float, launch: bool = False) -> tuple[Check, ...]:
    """Run all checks in the order of events; ``margin`` is the margin of the gate, in nats per token.

    ``launch``: what users asked must have been learned, and a sabotaged version refused.
    """
    loop = findings.loop
    return (
        *(_stream_checks(loop.stream) if loop else (_missing("every conversation was counted"),)),
        *(_learning_checks(loop, margin) if loop else (_missing("a version was trained and promoted"),)),
        _answers(findings.answers),
        *((_learned(findings.lessons), _refused(findings.sabotage)) if launch else ()),
        _rolled_back(findings.rollback),
        _stopped(findings.stop),
    )


def failed(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Return the checks that did not pass."""
    return tuple(check for check in checks if not check.passed)


def _missing(name: str) -> Check:
    return Check(name=name, passed=False, evidence="the demo did not get that far")


def _stream_checks(stream: StreamFact) -> tuple[Check, ...]:
    alarm = stream.alarm
    return (
        Check(
            name="every conversation was counted",
            passed=stream.counted + stream.repeated == stream.sent > 0 and stream.dead_letters == 0,
            evidence=f"{stream.sent} sent, {stream.counted} in the ledger, {stream.repeated} that repeat another, "
            f"{stream.dead_letters} dead letters",
        ),
        Check(
            name="no false alarm before the change",
            passed=not stream.false_alarms and stream.stable_before >= STABLE_WINDOWS,
            evidence=f"{stream.stable_before} windows before the change were stable, "
            f"{len(stream.false_alarms)} raised an alarm",
        ),
        Check(
            name="the change was detected",
            passed=alarm is not None,
            evidence="no window drifted"
            if alarm is None
            else f"changed at conversation {stream.change_at}, detected at {alarm.last}: {alarm.reason}",
        ),
    )


def _learning_checks(loop: LoopFacts, margin: float) -> tuple[Check, ...]:
    training, gate, promoted = loop.training, loop.gate, loop.promoted
    slices = gate.slices if gate else ()
    return (
        Check(
            name="a training finished",
            passed=training is not None and training.state is RunState.FINISHED,
            evidence=f"run {training.run}: {training.error or training.state}" if training else "no run",
        ),
        Check(
            name="the gate let the candidate pass",
            passed=gate is not None and gate.verdict is GateVerdict.PROMOTE,
            evidence=_gate_words(gate),
        ),
        _slice_check("better on new conversations", slices, role="target", below=0.0),
        _slice_check("not worse on old conversations", slices, role="protected", below=margin),
        Check(
            name="the daemon promoted it",
            passed=promoted is not None and promoted.version == loop.candidate,
            evidence=f"{promoted.version} after {promoted.previous}, by {promoted.by}"
            if promoted
            else "no promotion",
        ),
    )


def _gate_words(gate: GateReport | None) -> str:
    """Return the verdict of the gate; the next two checks show the figures of a pass."""
    if gate is None:
        return "the gate gave no answer"
    return f"{gate.verdict} at look {gate.look}" + (
        "" if gate.verdict is GateVerdict.PROMOTE else f": {gate.reason}"
    )


def _slice_check(name: str, slices: Sequence[SliceReport], *, role: str, below: float) -> Check:
    found = [report for report in slices if report.role == role]
    return Check(
        name=name,
        passed=bool(found) and all(report.upper < below for report in found),
        evidence="; ".join(report.reason for report in found) or "not judged",
    )


def _answers(answers: Sequence[AnswerFact]) -> Check:
    spoken = [answer for answer in answers if answer.base.strip() and answer.live.strip()]
    return Check(
        name="both versions answered the questions",
        passed=len(spoken) == QUESTIONS,
        evidence=f"{len(spoken)} of {QUESTIONS} held-out questions answered by both",
    )


def _learned(lessons: LessonsFact | None) -> Check:
    name = "it answers held-out wordings as support would"
    if lessons is None or lessons.before is None or lessons.after is None:
        return _missing(name)
    before, after = lessons.before, lessons.after
    return Check(
        name=name,
        passed=after.f1 >= F1_AFTER and before.f1 < F1_BEFORE,
        evidence=f"token F1 {before.f1:.2f} -> {after.f1:.2f} (must be below {F1_BEFORE} before and at least {F1_AFTER} "
        f"after); {before.right} -> {after.right} of {after.questions} right",
    )


def _refused(sabotage: SabotageFact | None) -> Check:
    name = "the gate refused a sabotaged version"
    if sabotage is None:
        return _missing(name)
    kept = sabotage.live == sabotage.live_before
    return Check(
        name=name,
        passed=sabotage.verdict is GateVerdict.REJECT and kept,
        evidence=f"{sabotage.candidate}, which learned {sabotage.corrections} wrong corrections: {sabotage.verdict}: "
        f"{sabotage.reason}; {sabotage.live} is live",
    )


def _rolled_back(rollback: RollbackFact | None) -> Check:
    name = "the operator's command rolled back"
    if rollback is None:
        return _missing(name)
    seen = {rollback.live_pointer, rollback.live_history, rollback.live_metrics}
    agreed = len(seen) == 1 and None not in seen and rollback.away_from not in seen
    return Check(
        name=name,
        passed=rollback.exit_status == 0 and agreed,
        evidence=f"exit status {rollback.exit_status}; live is now {rollback.live_pointer} in live.json, "
        f"{rollback.live_history} in the promotion log, {rollback.live_metrics} in the metrics"
        + ("" if rollback.exit_status == 0 else f"; it said: {rollback.output.strip()[-300:]}"),
    )


def _stopped(stop: StopFact | None) -> Check:
    name = "the daemon stopped cleanly on SIGTERM"
    if stop is None:
        return _missing(name)
    return Check(
        name=name,
        passed=stop.exit_status == 0 and stop.seconds <= STOP_WITHIN_S,
        evidence=f"exit status {stop.exit_status} after {stop.seconds:.1f} s (limit {STOP_WITHIN_S:.0f} s)",
    )
