"""Has the monitors judge each closed window, one at a time, in a process of their own."""

import logging
from dataclasses import asdict

from daemon.clock import Clock
from daemon.facts import ClosedWindow, SeqRange, StoredConversation, StoredReference
from daemon.judge_process import Judge, JudgeDied
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.windows import VerdictRow, WindowLedger
from daemon.metrics import Metrics
from monitors.suite import Judgement, MonitorSettings
from monitors.types import Finding, Reference, Sample, Turn, Verdict, Window

_log = logging.getLogger(__name__)
_ATTEMPTS = 3


class JudgingStage:
    """Judges the oldest window without verdicts against the reference, and writes what was found.

    Judging is pure, so a window whose judging was cut short is simply judged again.
    """

    name = "judging"

    def __init__(
        self,
        windows: WindowLedger,
        conversations: ConversationLedger,
        judge: Judge,
        *,
        model_line: str,
        settings: MonitorSettings,
        max_age_s: float,
        min_size: int,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._windows = windows
        self._conversations = conversations
        self._judge = judge
        judge.start()
        self._model_line = model_line
        self._settings = settings
        self._max_age_s = max_age_s
        self._min_size = min_size
        self._metrics = metrics
        self._clock = clock
        self._current: tuple[ClosedWindow, StoredReference] | None = None
        self._attempts = 0

    def step(self) -> None:
        """Close a window that waited too long; start judging, or write what came of it."""
        closed = self._windows.close_aged_window(
            max_age_s=self._max_age_s, min_size=self._min_size, now=self._clock()
        )
        if closed is not None:
            self._metrics.drift.windows_closed.inc()
        if self._current is None:
            self._start()
        else:
            self._look(*self._current)

    def close(self, timeout_s: float) -> None:
        """End the judging process; its window is judged anew after the next start."""
        self._judge.stop(timeout_s)

    def _start(self) -> None:
        window, reference = self._windows.next_to_judge(), self._windows.reference()
        self._metrics.drift.windows_waiting.set(0 if window is None else 1)
        if window is None or reference is None or reference.range is None:
            return
        self._judge.submit(
            Window(id=str(window.number), model_line=self._model_line, samples=self._samples(window.range)),
            Reference(id=str(reference.id), samples=self._samples(reference.range)),
            self._settings,
        )
        self._current = (window, reference)

    def _look(self, window: ClosedWindow, reference: StoredReference) -> None:
        try:
            done = self._judge.poll()
        except JudgeDied as died:
            self._again(window, reference, died)
            return
        if done is None:
            return
        judgement, seconds = done
        self._metrics.drift.judging.observe(seconds)
        self._write(window, reference, judgement)

    def _again(self, window: ClosedWindow, reference: StoredReference, died: JudgeDied) -> None:
        """Try a window again whose judging died; after some attempts call it inconclusive, so that others get judged."""
        self._metrics.process.child_restarts("judge").inc()
        self._attempts += 1
        _log.warning(
            "judging window %s died (%s), attempt %s",
            window.number,
            died,
            self._attempts,
            extra={"action": "judge"},
        )
        if self._attempts < _ATTEMPTS:
            self._current = None
            return
        verdict = Verdict(
            monitor="process", window_id=str(window.number), finding=Finding.INCONCLUSIVE, score=0.0, threshold=0.0,
            reason=f"the judging process died {self._attempts} times: {died}",
        )  # fmt: skip
        self._write(
            window, reference, Judgement(verdicts=(verdict,), explanation=None, failed=(verdict.monitor,))
        )

    def _write(self, window: ClosedWindow, reference: StoredReference, judgement: Judgement) -> None:
        rows = [_row(window, verdict, self._settings) for verdict in judgement.verdicts]
        finding = _overall(rows)
        self._windows.record_judgement(
            window,
            rows,
            finding=finding,
            reference_id=reference.id,
            explanation=asdict(judgement.explanation) if judgement.explanation else None,
            now=self._clock(),
        )
        for monitor in judgement.failed:
            self._metrics.drift.errors(monitor).inc()
        for verdict in judgement.verdicts:
            self._metrics.drift.judged(verdict)
            _log.info(
                "window %s, %s: %s", window.number, verdict.monitor, verdict.reason, extra={"action": "judge"}
            )
        self._current, self._attempts = None, 0

    def _samples(self, span: SeqRange) -> tuple[Sample, ...]:
        return tuple(_sample(stored) for stored in self._conversations.between(span))


def _sample(stored: StoredConversation) -> Sample:
    return Sample(
        id=stored.conversation_id,
        group=stored.group,
        at=stored.at,
        turns=tuple(Turn(role=message.role, content=message.content) for message in stored.messages),
        feedback=stored.feedback,
    )


def _row(window: ClosedWindow, verdict: Verdict, settings: MonitorSettings) -> VerdictRow:
    return VerdictRow(
        window=window.number,
        monitor=verdict.monitor,
        finding=verdict.finding,
        score=verdict.score,
        threshold=verdict.threshold,
        reason=verdict.reason,
        numbers=dict(verdict.numbers),
        triggers=verdict.monitor in settings.triggers,
    )


def _overall(rows: list[VerdictRow]) -> Finding:
    """What the triggering monitors found together: drift if any says so, stable only if all do."""
    found = {row.finding for row in rows if row.triggers}
    if Finding.DRIFT in found:
        return Finding.DRIFT
    return Finding.STABLE if found == {Finding.STABLE} else Finding.INCONCLUSIVE
