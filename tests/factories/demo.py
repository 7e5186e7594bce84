"""What a demo found out, as it would be after one that went well."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from daemon.demo.checks import Findings
from daemon.demo.evidence import (
    AnswerFact,
    DecisionFact,
    LoopFacts,
    PromotionFact,
    RollbackFact,
    StopFact,
    StreamFact,
    TrainingFact,
    WindowFact,
)
from daemon.demo.launch.evidence import LessonsFact, Marks, SabotageFact
from daemon.domain.alarms import Alarm, Triage
from daemon.domain.conversation import Conversation, Message
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.runs import RunState
from daemon.domain.situation import SituationFacts, situation_of
from daemon.domain.windows import ClosedWindow, SeqRange, StoredReference
from daemon.ledger.counts import IntakeCounts, RunSummary, WindowCounts
from daemon.ledger.windows import JudgedWindow, VerdictRow
from daemon.views.status import Candidate, StatusView
from monitors.types import Outcome
from registry.names import VersionName
from registry.types import Actor, GateReport, GateVerdict, Promotion, PromotionKind, SliceReport

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def a_conversation(
    id_: str = "c1", question: str = "Who wrote Faust?", answer: str = "Goethe."
) -> Conversation:
    return Conversation(
        conversation_id=id_,
        at=NOON,
        messages=(Message(role="user", content=question), Message(role="assistant", content=answer)),
    )


def a_window_fact(
    number: int = 1, finding: str = "stable", *, size: int = 100, score: float = 0.4
) -> WindowFact:
    return WindowFact(
        number=number,
        first=400 + (number - 1) * size + 1,
        last=400 + number * size,
        finding=finding,
        score=score,
        threshold=1.0,
        reason=f"score {score}",
        judged_at=NOON + timedelta(seconds=number),
    )


def windows(findings: str = "sssssdd") -> tuple[WindowFact, ...]:
    """Windows of 100 from conversation 401 on: s is stable, d is drift, i is inconclusive."""
    words = {"s": "stable", "d": "drift", "i": "inconclusive"}
    return tuple(
        a_window_fact(number, words[letter], score=3.0 if letter == "d" else 0.4)
        for number, letter in enumerate(findings, 1)
    )


def a_stream(
    findings: str = "sssssdd", *, change_at: int | None = 934, sent: int = 1100, counted: int = 1100
) -> StreamFact:
    return StreamFact(
        sent=sent,
        counted=counted,
        held_out=220,
        dead_letters=0,
        change_at=change_at,
        changed_at=NOON if change_at else None,
        windows=windows(findings),
    )


def a_slice(role: str = "target", *, difference: float = -0.5, reach: float = 0.1) -> SliceReport:
    return SliceReport(
        name="new conversations" if role == "target" else "old conversations",
        role=role,
        conversations=120,
        clusters=100,
        live_loss=2.4,
        candidate_loss=2.4 + difference,
        difference=difference,
        lower=difference - reach,
        upper=difference + reach,
        verdict=GateVerdict.PROMOTE,
        needed=0,
        reason=f"{role}: better",
    )


def a_gate_report(
    *slices: SliceReport, verdict: GateVerdict = GateVerdict.PROMOTE, look: int = 1
) -> GateReport:
    return GateReport(
        verdict=verdict,
        reason="it is better",
        alpha=0.05,
        look=look,
        slices=slices or (a_slice("target"), a_slice("protected", difference=-0.2)),
    )


def a_loop(
    *, stream: StreamFact | None = None, gate: GateReport | None = None, run: RunState = RunState.FINISHED
) -> LoopFacts:
    return LoopFacts(
        stream=stream or a_stream(),
        decisions=(
            DecisionFact(action=Action.TRAIN, trigger="drift", window=7, reason="drift; 480 new lessons"),
        ),
        training=TrainingFact(
            run="r1",
            state=run,
            seconds=170.0,
            ended_at=NOON + timedelta(minutes=4),
            result={"steps": 90},
            error=None,
        ),
        candidate="demo-v1",
        gate=gate or a_gate_report(),
        promotions=(
            PromotionFact(
                kind=PromotionKind.BOOTSTRAP,
                version="demo-v0",
                previous=None,
                by="daemon retuned",
                at=NOON,
                reason="base",
            ),
            PromotionFact(
                kind=PromotionKind.PROMOTION,
                version="demo-v1",
                previous="demo-v0",
                by="daemon retuned",
                at=NOON + timedelta(minutes=5),
                reason="it is better",
            ),
        ),
    )


def an_answer(number: int = 1, *, live: str = "Goethe.") -> AnswerFact:
    return AnswerFact(
        conversation_id=f"trivia-{number}",
        question="Who wrote Faust?",
        reference="Goethe",
        base="I don't know.",
        live=live,
    )


def a_rollback(
    *, exit_status: int = 0, metrics: str | None = "demo-v0", history: str | None = "demo-v0"
) -> RollbackFact:
    return RollbackFact(
        command="retuned rollback -m 'demo' --json",
        exit_status=exit_status,
        output="{}",
        away_from="demo-v1",
        live_pointer="demo-v0",
        live_history=history,
        live_metrics=metrics,
        command_s=1.4,
        pointer_s=1.3,
        metrics_s=1.5,
    )


def lessons(*, before: float = 0.06, after: float = 0.95) -> LessonsFact:
    return LessonsFact(
        tokens_per_s=212.4,
        predicted_s=600,
        facts=20,
        questions=234,
        corrections=80,
        before=Marks(questions=40, right=0, f1=before),
        after=Marks(questions=40, right=36, f1=after),
    )


def a_sabotage(*, verdict: GateVerdict | None = GateVerdict.REJECT, live: str = "demo-v1") -> SabotageFact:
    return SabotageFact(
        corrections=32,
        candidate="demo-v2",
        verdict=verdict,
        reason="old conversations: worse",
        live=live,
        live_before="demo-v1",
    )


def launch_findings() -> Findings:
    return replace(findings(), lessons=lessons(), sabotage=a_sabotage())


def findings() -> Findings:
    return Findings(
        loop=a_loop(),
        answers=(an_answer(1), an_answer(2), an_answer(3)),
        rollback=a_rollback(),
        stop=StopFact(seconds=2.0, exit_status=0),
    )


def a_judged_window(
    number: int = 1,
    finding: str = "stable",
    *,
    score: float = 0.4,
    explanation: dict[str, object] | None = None,
) -> JudgedWindow:
    return JudgedWindow(
        window=ClosedWindow(
            number=number,
            range=SeqRange(first=400 + number * 100 - 99, last=400 + number * 100),
            closed_at=NOON,
        ),
        finding=finding,
        judged_at=NOON,
        reference_id=1,
        explanation=explanation,
        verdicts=(a_verdict_row(number, finding, score=score),),
    )


def a_verdict_row(
    window: int = 1,
    finding: str = "stable",
    *,
    monitor: str = "e_detector",
    score: float = 0.4,
    triggers: bool = True,
) -> VerdictRow:
    return VerdictRow(
        window=window,
        monitor=monitor,
        finding=finding,
        score=score,
        threshold=1.0,
        reason=f"{monitor} says {finding}",
        triggers=triggers,
    )


def a_promotion(
    position: int = 1, kind: PromotionKind = PromotionKind.BOOTSTRAP, version: int = 0
) -> Promotion:
    promoted = kind is PromotionKind.PROMOTION
    return Promotion(
        model_line="demo",
        position=position,
        kind=kind,
        version=VersionName("demo", version),
        previous=None,
        reason="because",
        by=Actor(kind="daemon", name="retuned"),
        at=NOON,
        gate=a_gate_report() if promoted else None,
    )


def a_candidate(*, report: GateReport | None = None, open_: bool = True) -> Candidate:
    return Candidate(
        name=VersionName("demo", 1), report=report, looks=report.look if report else 0, open=open_
    )


def a_run_summary(
    state: RunState = RunState.RUNNING, *, error: str | None = None, progress: dict[str, object] | None = None
) -> RunSummary:
    return RunSummary(
        id="r1",
        decision_id=1,
        state=state,
        started_at=NOON,
        ended_at=None if state is RunState.RUNNING else NOON + timedelta(seconds=170),
        progress=progress,
        error=error,
    )


def a_decision(
    id_: int = 1, action: Action = Action.WAIT, *, window: int | None = 1, drift: bool = True
) -> Decision:
    return Decision(
        id=id_,
        at=NOON,
        trigger=Trigger.DRIFT if drift else None,
        action=action,
        reason="waits for data: 83 of 500 new lessons",
        since_seq=901,
        window=window,
    )


def a_reference(*, full: bool = True) -> StoredReference:
    return StoredReference(
        id=1, version="demo-v0", size=400, after_seq=0, range=SeqRange(first=1, last=400) if full else None
    )


def a_triage(*, window: int = 6, decision: int | None = None) -> Triage:
    """Something is to be learned, as of the alarm of a window."""
    return Triage(
        window=window, reference_id=1, since_seq=901, version="demo-v0", outcome=Outcome.TRAIN,
        reason="there is something to learn", numbers={}, examples=(), at=NOON, decision_id=decision,
    )  # fmt: skip


def an_overview(
    *,
    counted: int = 0,
    reference: StoredReference | None = None,
    judged: Sequence[JudgedWindow] = (),
    waiting: int = 0,
    decision: Decision | None = None,
    run: RunSummary | None = None,
    candidate: Candidate | None = None,
    live: Promotion | None = None,
    alarm: Alarm | None = None,
    triage: Triage | None = None,
) -> StatusView:
    """``judged`` is oldest first."""
    return StatusView(
        model_line="demo",
        at=NOON,
        live=live,
        intake=IntakeCounts(
            positions=(),
            conversations=counted,
            held_out=0,
            feedback=0,
            dead_letters={},
            dead_letters_waiting=0,
        ),
        windows=WindowCounts(
            closed=len(judged) + waiting, waiting=waiting, open=0, reference=reference, collected=0
        ),
        judged=tuple(reversed(judged)),
        leader=None,
        alarm=alarm,
        triage=triage,
        wish=None,
        decision=decision,
        run=run,
        candidate=candidate,
        situation=situation_of(SituationFacts()),
    )
