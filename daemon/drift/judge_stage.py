"""Judges closed windows, one at a time, in a child process."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from daemon.config.settings import Settings
from daemon.domain.backoff import Backoff
from daemon.domain.clock import Clock
from daemon.domain.reference_span import reference_title, span_words
from daemon.domain.supervised_child import SupervisedChild
from daemon.domain.windows import ClosedWindow, StoredReference
from daemon.drift.detector_state import state_from_json
from daemon.drift.detector_verdicts import alarm_verdict, quiet_verdict
from daemon.drift.monitor_settings import monitor_settings
from daemon.drift.samples import samples_of
from daemon.drift.user_sampling import UserSample, UserSampler
from daemon.drift.verdict_rows import overall_finding, verdict_row
from daemon.ledger.detectors import StoredDetector
from daemon.ledger.recurrences import recurrence_row
from daemon.ledger.reports import NewReport
from daemon.ledger.stores import Stores
from daemon.ledger.windows import VerdictRow
from daemon.telemetry.metrics import Metrics
from monitors.judge_process import Judge, JudgeDied
from monitors.sequential.aspect_evidence import strongest_aspect
from monitors.sequential.pending_alarm import DETECTOR
from monitors.settings import MonitorSettings
from monitors.suite import Judgement
from monitors.types import Finding, Reference, Verdict, Window

_log = logging.getLogger(__name__)
_ATTEMPTS = 3
#: Seconds between the judge's death and its restart.
_PAUSE_S = 10
#: Windows that may wait to be judged. Judging one takes seconds.
_BACKLOG = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """A window that is being judged."""

    window: ClosedWindow
    reference: StoredReference
    settings: MonitorSettings
    detected: Verdict  # of the sequential detector, which has seen the window already
    conversations: int = 0  # of the window and the reference, before the selection of those that count


class JudgeStage:
    """Judges the oldest window without verdicts against the reference, and records the verdicts.

    The sequential detector raises alarms; the windows after an alarm confirm or drop it. Judging is pure, so a window
    whose judging was cut short is judged again. A judge that dies is replaced after a pause, in which windows wait.
    """

    name = "judging"

    def __init__(
        self,
        stores: Stores,
        settings: Settings,
        launch: Callable[[], Judge],
        *,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``launch`` starts a judge child."""
        self._windows = stores.windows
        self._user_sampler = UserSampler(stores.conversations)
        self._detectors = stores.detectors
        self._references = stores.references
        self._runs = stores.runs
        self._judge: SupervisedChild[Judge] = SupervisedChild(
            launch,
            on_death=_log_death,
            on_restart=metrics.process.child_restarts("judge").inc,
            backoff=Backoff(_PAUSE_S),
            clock=clock,
        )
        self._model_line = settings.model_line
        self._settings = monitor_settings(settings)
        self._section = settings.windows
        self._metrics = metrics
        self._clock = clock
        self._current: _Case | None = None
        self._attempts = 0

    def start(self) -> None:
        """Start the judge child ahead of the first window."""
        self._judge.start()

    @property
    def alive(self) -> bool:
        """Whether the judge child runs."""
        return self._judge.alive

    @property
    def pid(self) -> int | None:
        """The judge's process id while it runs."""
        return self._judge.pid

    def step(self) -> None:
        """Close a window that has waited too long; start judging the next window, or record the judgement."""
        closed = self._windows.close_aged_window(
            max_age_s=self._section.max_age_s, min_size=self._section.min_size, now=self._clock()
        )
        if closed is not None:
            self._metrics.drift.windows_closed.inc()
        self._metrics.drift.windows_waiting.set(self._windows.waiting())
        self._judge.supervise()
        if self._current is None:
            self._judge_next()
        else:
            self._poll(self._current)

    def close(self, timeout_s: float) -> None:
        """End the judge child. Its window is judged again after the next start."""
        self._judge.close(timeout_s)

    def _judge_next(self) -> None:
        window, reference = self._windows.next_to_judge(), self._windows.reference()
        if window is None or reference is None or reference.range is None:
            return
        if window.range.last <= reference.range.last:
            self._record_incomparable(window, reference)
            return
        detector = self._detectors.stored(reference.id)
        if detector is None or detector.seq < window.range.last:
            return  # until the detector has seen the whole window
        if self._skip_backlog(detector):
            return
        if not self._judge.alive:
            return  # until it is replaced
        case = self._case(window, reference, detector)
        past = self._user_sampler.of_reference(reference)
        current = self._user_sampler.within(window.range, past.block)
        self._judge.child.submit(
            Window(
                id=str(window.number), model_line=self._model_line, samples=samples_of(current.conversations)
            ),
            _monitors_reference(reference, past),
            case.settings,
            self._earlier_references(case.settings),
        )
        self._current = replace(case, conversations=current.of + past.of)

    def _case(self, window: ClosedWindow, reference: StoredReference, detector: StoredDetector) -> _Case:
        """Combine a window with the detector's verdict on it, and with the pending alarm, if there is one."""
        raised = self._detectors.first_alarm_in(window.range, reference_id=reference.id)
        pending = self._windows.alarm(after_seq=self._runs.learned_until())
        threshold, window_id = self._settings.conversations_between_false_alarms, str(window.number)
        leading = None if pending is None else pending.leading
        if raised is not None:
            leading = leading or strongest_aspect(raised.evidence)
            caution = span_words(reference, self._settings.cycle_days)
            first = self._detectors.first_of_change(raised)
            detected = alarm_verdict(window_id, raised, first=first, threshold=threshold, caution=caution)
        else:
            detected = quiet_verdict(
                window_id,
                state_from_json(detector.state),
                threshold=threshold,
                alarm_window=None if pending is None else pending.window,
            )
        settings = replace(
            self._settings,
            alarmed=raised is not None,
            confirming=pending is not None and window.number > pending.window,
            leading_aspect=leading,
            detected=detected,
        )
        return _Case(window=window, reference=reference, settings=settings, detected=detected)

    def _record_incomparable(self, window: ClosedWindow, reference: StoredReference) -> None:
        """Call a window inconclusive whose conversations became part of the reference while it waited."""
        reason = f"its conversations are part of reference {reference.id}, which began while it waited to be judged"
        detected = _inconclusive(DETECTOR, window, reason, threshold=1.0)
        case = _Case(window=window, reference=reference, settings=self._settings, detected=detected)
        self._record(case, Judgement(verdicts=(), explanation=None))

    def _skip_backlog(self, detector: StoredDetector) -> bool:
        """Where windows close faster than they are judged, give old ones the detector's verdict alone."""
        if self._windows.waiting() <= _BACKLOG:
            return False
        state = state_from_json(detector.state)
        threshold = self._settings.conversations_between_false_alarms
        alarmed = self._first_open_alarm(detector.reference_id)

        def detected(number: int) -> VerdictRow:
            open_alarm = alarmed if alarmed is not None and alarmed < number else None
            verdict = quiet_verdict(str(number), state, threshold=threshold, alarm_window=open_alarm)
            reason = (
                f"{verdict.reason}; no other monitor looked: windows close faster than they can be judged"
            )
            return verdict_row(number, replace(verdict, reason=reason), self._settings)

        skipped = self._windows.skip_waiting(
            detected, keep=_BACKLOG // 2, seen=detector.seq, now=self._clock()
        )
        if skipped:
            _log.warning(
                "%s windows were skipped: they close faster than they can be judged",
                skipped,
                extra={"action": "judge"},
            )
        return skipped > 0

    def _first_open_alarm(self, reference_id: int) -> int | None:
        """Return the window of the pending alarm, else of the first alarm in a window that waits to be judged."""
        pending = self._windows.alarm(after_seq=self._runs.learned_until())
        return pending.window if pending is not None else self._windows.first_alarmed(reference_id)

    def _poll(self, case: _Case) -> None:
        try:
            answer = self._judge.child.poll()
        except JudgeDied as error:
            self._retry(case, error)
            return
        if answer is None:
            return
        judgement, seconds = answer
        self._metrics.drift.judging.observe(seconds)
        self._record(case, judgement)

    def _retry(self, case: _Case, error: JudgeDied) -> None:
        """Judge a window again whose judge died; after some attempts call it inconclusive and continue."""
        self._attempts += 1
        _log.warning(
            "the judge died on window %s, attempt %s of %s: %s", case.window.number, self._attempts, _ATTEMPTS, error,
            extra={"action": "judge"},
        )  # fmt: skip
        if self._attempts < _ATTEMPTS:
            self._current = None
            return
        verdict = _inconclusive(
            "process", case.window, f"the judging process died {self._attempts} times: {error}", threshold=0.0
        )
        self._record(case, Judgement(verdicts=(verdict,), explanation=None, failed=(verdict.monitor,)))

    def _record(self, case: _Case, judgement: Judgement) -> None:
        verdicts = (case.detected, *judgement.verdicts)
        rows = [verdict_row(case.window.number, verdict, case.settings) for verdict in verdicts]
        if judgement.recurrence is not None:
            rows.append(recurrence_row(case.window.number, judgement.recurrence))
        self._windows.record_judgement(
            case.window,
            rows,
            finding=overall_finding(rows),
            reference_id=case.reference.id,
            explanation=asdict(judgement.explanation) if judgement.explanation else None,
            report=NewReport(html=judgement.report, conversations=case.conversations)
            if judgement.report
            else None,
            now=self._clock(),
        )
        for monitor in judgement.failed:
            self._metrics.drift.errors(monitor).inc()
        for verdict in verdicts:
            self._metrics.drift.judged(verdict)
        for row in rows:
            _log.info("window %s, %s: %s", row.window, row.monitor, row.reason, extra={"action": "judge"})
        self._current, self._attempts = None, 0

    def _earlier_references(self, settings: MonitorSettings) -> list[Reference]:
        """Return the references that a change may be a return to; none unless a change is to be explained."""
        if not settings.alarmed and not settings.confirming:
            return []
        return [
            _monitors_reference(earlier, self._user_sampler.of_reference(earlier))
            for earlier in self._references.earlier()
        ]


def _log_death(pause_s: float) -> None:
    _log.error("the judge died; it restarts in %.0f s", pause_s, extra={"action": "judge"})


def _monitors_reference(reference: StoredReference, counted: UserSample) -> Reference:
    return Reference(
        id=str(reference.id), samples=samples_of(counted.conversations), title=reference_title(reference)
    )


def _inconclusive(monitor: str, window: ClosedWindow, reason: str, *, threshold: float) -> Verdict:
    return Verdict(
        monitor=monitor, window_id=str(window.number), finding=Finding.INCONCLUSIVE, score=0.0, threshold=threshold,
        reason=reason,
    )  # fmt: skip
