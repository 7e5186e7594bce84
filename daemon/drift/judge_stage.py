"""Has the monitors judge each closed window, one at a time, in a process of their own."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from daemon.domain.clock import Clock
from daemon.domain.reference_span import reference_title, span_words
from daemon.domain.windows import ClosedWindow, StoredReference
from daemon.drift.detector_verdicts import alarm_verdict, quiet_verdict, state_of
from daemon.drift.samples import samples_of
from daemon.drift.user_sampling import UserSample, UserSampler
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.detectors import DetectorLedger, StoredDetector
from daemon.ledger.recurrences import recurrence_row
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.reports import NewReport
from daemon.ledger.windows import VerdictRow, WindowLedger
from daemon.telemetry.metrics import Metrics
from monitors.judge_process import Judge, JudgeDied
from monitors.sequential.aspect_evidence import strongest_aspect
from monitors.sequential.pending_alarm import DETECTOR
from monitors.settings import MonitorSettings
from monitors.suite import Judgement
from monitors.types import Finding, Reference, Verdict, Window

_log = logging.getLogger(__name__)
_ATTEMPTS = 3
#: Windows that may wait to be judged. Judging one takes seconds.
_BACKLOG = 20


class JudgeStage:
    """Judges the oldest window without verdicts against the reference, and writes what was found.

    An alarm is the sequential detector's; a window that came after it confirms it, or not. Judging is pure, so a window
    whose judging was cut short is simply judged again.
    """

    name = "judging"

    def __init__(
        self,
        windows: WindowLedger,
        conversations: ConversationLedger,
        detectors: DetectorLedger,
        references: ReferenceLedger,
        judge: Judge,
        *,
        learned_until: Callable[[], int],
        model_line: str,
        settings: MonitorSettings,
        max_age_s: float,
        min_size: int,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._windows = windows
        self._user_sampler = UserSampler(conversations)
        self._detectors = detectors
        self._references = references
        self._learned_until = learned_until
        self._judge = judge
        judge.start()
        self._model_line = model_line
        self._settings = settings
        self._max_age_s = max_age_s
        self._min_size = min_size
        self._metrics = metrics
        self._clock = clock
        self._current: _Case | None = None
        self._attempts = 0

    def step(self) -> None:
        """Close a window that waited too long; start judging, or write what came of it."""
        closed = self._windows.close_aged_window(
            max_age_s=self._max_age_s, min_size=self._min_size, now=self._clock()
        )
        if closed is not None:
            self._metrics.drift.windows_closed.inc()
        self._metrics.drift.windows_waiting.set(self._windows.waiting())
        if self._current is None:
            self._start()
        else:
            self._look(self._current)

    def close(self, timeout_s: float) -> None:
        """End the judging process; its window is judged anew after the next start."""
        self._judge.stop(timeout_s)

    def _start(self) -> None:
        window, reference = self._windows.next_to_judge(), self._windows.reference()
        if window is None or reference is None or reference.range is None:
            return
        if window.range.last <= reference.range.last:
            self._leave_out(window, reference)
            return
        stored = self._detectors.stored(reference.id)
        if stored is None or stored.seq < window.range.last or self._passes_over(stored):
            return  # the detector looks first
        case = self._case(window, reference, stored)
        known = self._user_sampler.of_reference(reference)
        current = self._user_sampler.within(window.range, known.block)
        self._judge.submit(
            Window(
                id=str(window.number), model_line=self._model_line, samples=samples_of(current.conversations)
            ),
            _known(reference, known),
            case.settings,
            self._earlier(case.settings),
        )
        self._current = replace(case, conversations=current.of + known.of)

    def _case(self, window: ClosedWindow, reference: StoredReference, stored: StoredDetector) -> "_Case":
        """Return what is to be judged, and how, once the detector has seen the window."""
        raised = self._detectors.raised_in(window.range, reference_id=reference.id)
        rate, id_ = self._settings.conversations_between_false_alarms, str(window.number)
        standing = self._windows.alarm(after_seq=self._learned_until())
        leading = None if standing is None else standing.leading
        if raised is not None:
            leading = leading or strongest_aspect(raised.evidence)
            caution = span_words(reference, self._settings.cycle_days)
            detected = alarm_verdict(id_, raised, threshold=rate, caution=caution)
        else:
            since = None if standing is None else standing.window
            detected = quiet_verdict(id_, state_of(stored.state), threshold=rate, standing=since)
        return _Case(
            window=window,
            reference=reference,
            settings=replace(
                self._settings,
                alarmed=raised is not None,
                confirming=standing is not None and window.number > standing.window,
                leading_aspect=leading,
                detected=detected,
            ),
            detected=detected,
        )

    def _leave_out(self, window: ClosedWindow, reference: StoredReference) -> None:
        """Say of a window that waited while its conversations became the reference that it can't be compared with it."""
        reason = f"its conversations are part of reference {reference.id}, which began while it waited to be judged"
        detected = Verdict(
            monitor=DETECTOR, window_id=str(window.number), finding=Finding.INCONCLUSIVE, score=0.0, threshold=1.0,
            reason=reason,
        )  # fmt: skip
        case = _Case(window=window, reference=reference, settings=self._settings, detected=detected)
        self._write(case, Judgement(verdicts=(), explanation=None))

    def _passes_over(self, stored: StoredDetector) -> bool:
        """Where windows close faster than they can be judged, leave old ones to the detector, which has seen them."""
        if self._windows.waiting() <= _BACKLOG:
            return False

        def seen(number: int) -> VerdictRow:
            verdict = quiet_verdict(
                str(number),
                state_of(stored.state),
                threshold=self._settings.conversations_between_false_alarms,
            )
            reason = (
                f"{verdict.reason}; no other monitor looked: windows close faster than they can be judged"
            )
            return _row(number, replace(verdict, reason=reason), self._settings)

        passed = self._windows.pass_over(seen, keep=_BACKLOG // 2, seen=stored.seq, now=self._clock())
        if passed:
            _log.warning(
                "%s windows are passed over: judging can't keep pace", passed, extra={"action": "judge"}
            )
        return passed > 0

    def _look(self, case: "_Case") -> None:
        try:
            done = self._judge.poll()
        except JudgeDied as died:
            self._again(case, died)
            return
        if done is None:
            return
        judgement, seconds = done
        self._metrics.drift.judging.observe(seconds)
        self._write(case, judgement)

    def _again(self, case: "_Case", died: JudgeDied) -> None:
        """Try a window again whose judging died; after some attempts call it inconclusive, so that others get judged."""
        self._metrics.process.child_restarts("judge").inc()
        self._attempts += 1
        _log.warning(
            "judging window %s died (%s), attempt %s", case.window.number, died, self._attempts,
            extra={"action": "judge"},
        )  # fmt: skip
        if self._attempts < _ATTEMPTS:
            self._current = None
            return
        verdict = Verdict(
            monitor="process", window_id=str(case.window.number), finding=Finding.INCONCLUSIVE, score=0.0, threshold=0.0,
            reason=f"the judging process died {self._attempts} times: {died}",
        )  # fmt: skip
        self._write(case, Judgement(verdicts=(verdict,), explanation=None, failed=(verdict.monitor,)))

    def _write(self, case: "_Case", judgement: Judgement) -> None:
        verdicts = (case.detected, *judgement.verdicts)
        rows = [_row(case.window.number, verdict, case.settings) for verdict in verdicts]
        if judgement.recurrence is not None:
            rows.append(recurrence_row(case.window.number, judgement.recurrence))
        self._windows.record_judgement(
            case.window,
            rows,
            finding=_overall(rows),
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

    def _earlier(self, settings: MonitorSettings) -> list[Reference]:
        """Return what a change may be a return to, where one is to be explained."""
        if not settings.alarmed and not settings.confirming:
            return []
        return [_known(one, self._user_sampler.of_reference(one)) for one in self._references.earlier()]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """One window before the judge."""

    window: ClosedWindow
    reference: StoredReference
    settings: MonitorSettings
    detected: Verdict  # of the sequential detector, which has seen it already
    conversations: int = 0  # of the window and of the reference, of which those that count are judged


def _known(reference: StoredReference, counted: UserSample) -> Reference:
    return Reference(
        id=str(reference.id), samples=samples_of(counted.conversations), title=reference_title(reference)
    )


def _row(window: int, verdict: Verdict, settings: MonitorSettings) -> VerdictRow:
    confirms = settings.confirming and verdict.monitor in settings.confirm_by
    return VerdictRow(
        window=window,
        monitor=verdict.monitor,
        finding=verdict.finding,
        score=verdict.score,
        threshold=verdict.threshold,
        reason=verdict.reason,
        numbers=dict(verdict.numbers),
        triggers=confirms or (verdict.monitor == DETECTOR and not settings.confirming),
    )


def _overall(rows: list[VerdictRow]) -> Finding:
    """What those found together that may raise an alarm, or confirm it: drift if any says so, stable only if all do."""
    found = {row.finding for row in rows if row.triggers}
    if Finding.DRIFT in found:
        return Finding.DRIFT
    return Finding.STABLE if found == {Finding.STABLE} else Finding.INCONCLUSIVE
