"""Metrics as a busy daemon shows them."""

from datetime import UTC, datetime

from daemon.domain.bad_record import Reason
from daemon.domain.decisions import Action, Decision, DecisionGround, Trigger
from daemon.domain.halts import HaltKind
from daemon.domain.lessons import LessonKind
from daemon.domain.personal_data import PersonalData
from daemon.domain.problems import ProblemKind
from daemon.domain.runs import RunState
from daemon.domain.situation import SituationState
from daemon.domain.teaching import TeacherOutcome, TeacherPurpose
from daemon.domain.training_job import JobState
from daemon.domain.unusable_feedback import Unusable
from daemon.telemetry.metrics import Metrics
from learners.types import Progress
from monitors.types import Aspect, Finding, Outcome, Verdict
from registry.names import VersionName
from registry.types import (
    Actor,
    CheckReport,
    Figure,
    GateReport,
    GateVerdict,
    Promotion,
    PromotionKind,
    SliceReport,
)


def a_progress(
    *, step: int = 5, steps: int = 20, loss: float | None = 2.5, seconds_left: float | None = 60.0
) -> Progress:
    return Progress(
        phase="training",
        step=step,
        steps=steps,
        loss=loss,
        learning_rate=1e-4,
        tokens=5_000,
        tokens_per_s=400.0,
        seconds_left=seconds_left,
        rss_bytes=10**9,
    )


def a_verdict(*, monitor: str = "words", finding: Finding = Finding.DRIFT, score: float = 0.9) -> Verdict:
    return Verdict(
        monitor=monitor, window_id="w-1", finding=finding, score=score, threshold=0.5, reason="new words"
    )


#: What Evidently's tests of the columns found, each at a level of 1 in 10,000.
COLUMNS = Verdict(
    monitor="columns", window_id="w-1", finding=Finding.DRIFT, score=6.0, threshold=4.0, reason="changed: turns",
    numbers={"p_turns": 1e-6},
)  # fmt: skip


def a_slice(name: str, *, role: str, difference: float) -> SliceReport:
    return SliceReport(
        name=name,
        role=role,
        conversations=100,
        clusters=80,
        live_loss=3.0,
        candidate_loss=3.0 + difference,
        difference=difference,
        lower=difference - 0.1,
        upper=difference + 0.1,
        verdict=GateVerdict.PROMOTE,
        needed=0,
        reason="better",
    )


def a_check_report(name: str, *, live: int = 1, candidate: int = 2) -> CheckReport:
    return CheckReport(
        name=name, prompts=40, live_failed=live, candidate_failed=candidate, worse=candidate, better=live, p_value=0.5,
        smallest_harm=0.2, verdict=GateVerdict.PROMOTE, reason="no harm found",
    )  # fmt: skip


def a_gate_report(
    *slices: SliceReport,
    verdict: GateVerdict = GateVerdict.PROMOTE,
    checks: tuple[CheckReport, ...] = (),
    figures: tuple[Figure, ...] = (),
) -> GateReport:
    return GateReport(
        verdict=verdict, reason="better", alpha=0.05, look=1, slices=slices, checks=checks, figures=figures
    )


def a_promotion(
    *,
    number: int = 1,
    kind: PromotionKind = PromotionKind.PROMOTION,
    actor: str = "daemon",
) -> Promotion:
    return Promotion(
        model_line="chat",
        position=2,
        kind=kind,
        version=VersionName("chat", number),
        previous=VersionName("chat", 0),
        reason="better",
        by=Actor(kind=actor, name="ann"),
        at=datetime(2026, 11, 24, tzinfo=UTC),
    )


def busy_metrics() -> Metrics:
    """Every metric of the catalogue with a series."""
    metrics = Metrics("chat")
    keep_busy(metrics)
    return metrics


def keep_busy(metrics: Metrics) -> None:
    """Let everything happen once more: each counter rises."""
    _fill_intake(metrics)
    _fill_drift(metrics)
    _fill_training(metrics)
    _fill_release(metrics)
    _fill_teacher(metrics)
    _fill_process(metrics)


def _fill_drift(metrics: Metrics) -> None:
    metrics.drift.judged(a_verdict())
    metrics.drift.judged(COLUMNS)
    metrics.drift.evidence(Aspect.INPUT).set(12.5)
    metrics.drift.mean_evidence.set(3.5)
    metrics.drift.alarms(Aspect.INPUT).inc()
    metrics.drift.windows_closed.inc()
    metrics.drift.windows_waiting.set(1)
    metrics.drift.errors("words").inc()
    metrics.drift.judging.observe(2.0)
    metrics.drift.situation_is(SituationState.NOT_TRAINED, Outcome.CANT_HELP)
    metrics.drift.evidence_threshold.set(20_000)
    metrics.drift.decided(
        Decision(
            at=datetime(2026, 11, 24, tzinfo=UTC),
            trigger=Trigger.DRIFT,
            action=Action.TRAIN,
            reason="drift",
            since_seq=1,
            ground=DecisionGround.ENOUGH_LESSONS,
        )
    )
    metrics.drift.triages(Outcome.CANT_HELP).inc()


def _fill_training(metrics: Metrics) -> None:
    metrics.training.runs(RunState.FINISHED).inc()
    metrics.training.duration.observe(172.0)
    metrics.training.last_run_is(RunState.FINISHED)
    metrics.training.run_must_end_by(1_795_530_000.0)
    metrics.training.run_is_at(a_progress())
    metrics.training.job_is(JobState.RUNNING)
    metrics.training.run_lessons({"correction": 40, "liked": 31, "replay": 7})
    metrics.training.new_lessons({LessonKind.CORRECTION: 12, LessonKind.LIKED: 10})
    metrics.training.would_leave_out({"same words as another": 3}, new=9)
    metrics.training.skipped({"longer than max_tokens": 1}, learned=9)


def _fill_release(metrics: Metrics) -> None:
    metrics.release.judged(
        a_gate_report(
            a_slice("new", role="target", difference=-0.5),
            checks=(a_check_report("ends by itself"),),
            figures=(Figure(name="token F1", live=0.1, candidate=0.8, count=40),),
        )
    )
    metrics.release.versions.set(2)
    metrics.release.promoted(a_promotion())
    metrics.release.promoted(a_promotion(number=0, kind=PromotionKind.ROLLBACK, actor="ann"))
    metrics.release.promoted(a_promotion())
    metrics.release.live_since(PromotionKind.PROMOTION, 1_795_400_000.0)
    metrics.release.gate_open_since(1_795_500_000.0)
    metrics.release.held("promotion").set(1)
    metrics.release.held("training").set(0)


def _fill_process(metrics: Metrics) -> None:
    metrics.process.leader.set(1)
    metrics.process.leader_fence.set(3)
    metrics.process.ledger_size.set(10_000)
    metrics.process.artifacts_size.set(20_000)
    metrics.process.disk_free.set(10**10)
    metrics.process.disk_size.set(10**11)
    metrics.process.ledger_disk_free.replace({(): 10**10})
    metrics.process.certificates_expire({"kafka.ssl_certfile": 1_830_000_000.0})
    metrics.process.token_is(expires_at=1_795_525_000.0, failing_since=1_795_521_540.0)
    metrics.process.child_up.replace({("scorer",): 1, ("judge",): 1})
    metrics.process.child_memory.replace({("scorer",): 7e8})
    metrics.process.child_restarts("scorer").inc()
    metrics.process.problem(ProblemKind.BROKER).set(0)
    metrics.process.iteration.observe(0.01)
    metrics.process.pruned("losses").inc()
    metrics.process.line_up.set(1)
    metrics.process.traced(3, sent=True)
    metrics.process.reload_succeeded(datetime(2026, 11, 24, tzinfo=UTC), waiting=0)


def _fill_teacher(metrics: Metrics) -> None:
    metrics.teacher.calls(TeacherPurpose.ANSWER, TeacherOutcome.ANSWERED).inc()
    metrics.teacher.tokens("input").inc(20)
    metrics.teacher.cost.inc(0.002)
    metrics.teacher.left(calls=12, money=0.5)
    metrics.teacher.failing_since(1_795_521_540.0)


def _fill_intake(metrics: Metrics) -> None:
    intake = metrics.intake
    intake.records("conversation").inc(90)
    intake.conversations("train").inc(80)
    intake.rejected(Reason.NOT_JSON).inc()
    intake.unusable_feedback(Unusable.SCALE).inc()
    intake.redacted(PersonalData.EMAIL).inc()
    intake.dead_letters.inc()
    intake.dead_letters_waiting.set(1)
    intake.lag.replace({(0,): 12, (1,): 0})
    intake.waiting_since.replace({(1,): 1_795_521_540.0})
    intake.last_record_at.set(1_795_481_234.5)
    intake.stream_is(last_conversation=1_795_481_234.5, last_feedback=1_795_470_000.0, ceiling_ratio=0.1)
    intake.broker_connected.set(1)
    intake.halted.replace({(HaltKind.OFFSET_LOST,): 0})
    intake.batch.observe(0.02)
