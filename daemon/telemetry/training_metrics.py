"""Metrics of training runs."""

from collections.abc import Mapping

from daemon.domain.left_out import LeftOut, count_kinds, share_left_out
from daemon.domain.lessons import LessonKind
from daemon.domain.runs import RunState
from daemon.domain.training_job import JobState
from daemon.telemetry.buckets import UP_TO_HOURS
from daemon.telemetry.instruments import Counter, GaugeReadings, LabelledMetric, MetricFactory
from learners.types import Progress

_ENDED = (RunState.FINISHED, RunState.FAILED, RunState.CANCELLED)


class TrainingMetrics:
    """Metrics of training runs."""

    def __init__(self, factory: MetricFactory) -> None:
        self.runs: LabelledMetric[Counter, RunState] = LabelledMetric(
            factory.counter("retuned_runs_total", "Training runs ended, by outcome.", outcome=_ENDED)
        )
        self.duration = factory.seconds(
            "retuned_run_duration_seconds",
            "Duration of training runs, whatever their outcome.",
            UP_TO_HOURS,
        )
        self._left_out: LabelledMetric[Counter, LeftOut] = LabelledMetric(
            factory.counter(
                "retuned_conversations_left_out_total",
                "New conversations that a training set, or the run, left out, by reason. Each training set counts anew.",
                reason=LeftOut,
            )
        )
        self._share_left_out: GaugeReadings[()] = factory.readings(
            "retuned_training_left_out_ratio",
            "Share of the new conversations with a lesson that the newest training set left out, or would have. Absent before the first.",
            unit="ratio",
        )
        self._share_skipped: GaugeReadings[()] = factory.readings(
            "retuned_training_skipped_ratio",
            "Share of its training set that the last finished run could not learn from. Absent before the first.",
            unit="ratio",
        )
        self._run_lessons: GaugeReadings[str] = factory.readings(
            "retuned_run_lessons",
            "Lessons in the newest training set, by kind. Absent before the first.",
            "kind",
        )
        self._new_lessons: GaugeReadings[str] = factory.readings(
            "retuned_new_lessons",
            "Lessons since the last training, by kind, that a training would learn; as of the last decision. Absent before it.",
            "kind",
        )
        self._add_run(factory)

    def _add_run(self, factory: MetricFactory) -> None:
        self._last_run: GaugeReadings[RunState] = factory.readings(
            "retuned_last_run",
            "1 for the outcome of the last run that ended, 0 for the others. Absent before the first; the leader alone has it.",
            "outcome",
        )
        self._deadline: GaugeReadings[()] = factory.readings(
            "retuned_run_deadline_timestamp_seconds",
            "Unix time at which the daemon stops the current run, see learning.timeout_s. Absent without a run.",
            unit="seconds",
        )
        self._progress: GaugeReadings[()] = factory.readings(
            "retuned_run_progress_ratio",
            "Share of the current run's steps that are done. Absent without a run.",
            unit="ratio",
        )
        self._loss: GaugeReadings[()] = factory.readings(
            "retuned_run_loss_nats_per_token",
            "Smoothed training loss of the current run; with methods dpo and kto what they minimise. Absent without a run.",
            unit="nats_per_token",
        )
        self._tokens: GaugeReadings[()] = factory.readings(
            "retuned_run_tokens_per_second",
            "Training speed of the current run. Absent without a run.",
            unit="tokens_per_second",
        )
        self._left: GaugeReadings[()] = factory.readings(
            "retuned_run_left_seconds",
            "Estimated time to the end of the current run. Absent without a run.",
            unit="seconds",
        )
        self._job = _job(factory)

    def last_run_is(self, outcome: RunState | None) -> None:
        """Show how the last run ended; None: there is none, or another replica leads."""
        states = () if outcome is None else _ENDED
        self._last_run.replace({(each,): float(each is outcome) for each in states})

    def run_must_end_by(self, timestamp: float) -> None:
        """Show when the current run is stopped."""
        self._deadline.replace({(): timestamp})

    def would_leave_out(self, left_out: Mapping[str, int], *, new: int) -> None:
        """Show what a training set leaves out, by reason, and takes."""
        self._count(left_out)
        self._share_left_out.replace({(): share_left_out(left_out, taken=new)})

    def run_lessons(self, lessons: Mapping[str, int]) -> None:
        """Show the lessons of the newest training set, by kind."""
        kinds = [*LessonKind, "replay"]
        self._run_lessons.replace({(str(kind),): lessons.get(kind, 0) for kind in kinds})

    def new_lessons(self, lessons: Mapping[LessonKind, int]) -> None:
        """Show the lessons that a training would learn now, by kind."""
        self._new_lessons.replace({(str(kind),): lessons.get(kind, 0) for kind in LessonKind})

    def skipped(self, skipped: Mapping[str, int], *, learned: int) -> None:
        """Show what a run could not learn from, by reason, and how many it learned from."""
        self._count(skipped)
        total = sum(skipped.values())
        self._share_skipped.replace({(): total / (total + learned)})

    def _count(self, left_out: Mapping[str, int]) -> None:
        for kind, count in count_kinds(left_out).items():
            self._left_out(kind).inc(count)

    def run_is_at(self, progress: Progress) -> None:
        """Show the progress of the run; unknown values are absent."""
        self._progress.replace({(): progress.step / progress.steps if progress.steps else 0.0})
        self._loss.replace({} if progress.loss is None else {(): progress.loss})
        self._tokens.replace({(): progress.tokens_per_s})
        self._left.replace({} if progress.seconds_left is None else {(): progress.seconds_left})

    def job_is(self, state: JobState) -> None:
        """Show what the Job of the run is doing."""
        self._job.replace({(each,): float(each is state) for each in JobState})

    def no_run(self) -> None:
        """Show no progress, because no run is active."""
        for readings in (self._progress, self._loss, self._tokens, self._left, self._deadline):
            readings.replace({})
        self._job.replace({})


def _job(factory: MetricFactory) -> GaugeReadings[JobState]:
    return factory.readings(
        "retuned_run_job",
        "1 for the state of the Job in which the current run trains on a cluster, 0 for the others. Absent without a Job.",
        "state",
    )
