"""Judges a window with every monitor, and explains it where there is an alarm.

Importing this module is light. Judging loads Evidently, which takes seconds: judge in a process of its own.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from monitors.sample_requirements import inconclusive
from monitors.settings import MonitorSettings
from monitors.times import spanned_days
from monitors.types import Explanation, Finding, Reference, Verdict, Window
from monitors.window.recurrence_result import RecurrenceResult

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """The verdicts of all monitors on a window, and what changed where an alarm was raised or confirmed."""

    verdicts: tuple[Verdict, ...]
    explanation: Explanation | None
    #: Whether an earlier reference fits again; None where the window was not compared with any.
    recurrence: RecurrenceResult | None = None
    #: The explanation as an HTML page with Evidently's report, compressed by gzip.
    report: bytes | None = None
    #: Names of the monitors that failed (their verdicts are INCONCLUSIVE and say why), and "report" where that failed.
    failed: tuple[str, ...] = ()


def judge(
    window: Window, reference: Reference, settings: MonitorSettings, earlier: Sequence[Reference] = ()
) -> Judgement:
    """Judge a window. A monitor that fails is INCONCLUSIVE with the reason, and does not affect the others.

    A window with an alarm to explain is also compared with the ``earlier`` references.
    """
    matched = _time_matched(window, reference, settings)
    if len(matched.samples) < settings.minimum.reference <= len(reference.samples):
        unknown = Judgement(verdicts=_unknown_time(window, reference, matched, settings), explanation=None)
        return _explained(unknown, window, reference, settings) if settings.alarmed else unknown
    judged = _judged(window, matched, settings)
    if not settings.alarmed and not _confirmed(judged, settings):
        return judged
    recurrence = _recurrence(window, matched, earlier, settings) if earlier else None
    return _explained(replace(judged, recurrence=recurrence), window, matched, settings)


def _time_matched(window: Window, reference: Reference, settings: MonitorSettings) -> Reference:
    from monitors.cycles import time_matched

    return time_matched(window, reference, cycle_days=settings.cycle_days)


def _unknown_time(
    window: Window, reference: Reference, matched: Reference, settings: MonitorSettings
) -> tuple[Verdict, ...]:
    """Return the verdicts on a window at a time of day that the reference does not cover."""
    reason = (
        f"the reference has {len(matched.samples)} conversations of the window's time of the day, and "
        f"{settings.minimum.reference} are needed; it spans {spanned_days(reference.samples):.1f} of "
        f"{settings.cycle_days:g} days"
    )
    return tuple(inconclusive(name, window, reason) for name in settings.monitors)


def _judged(window: Window, reference: Reference, settings: MonitorSettings) -> Judgement:
    verdicts: list[Verdict] = []
    failed: list[str] = []
    for name in settings.monitors:
        verdict = _result_or_failure(partial(_verdict, name, window, reference, settings))
        if isinstance(verdict, _Failure):
            failed.append(name)
            verdict = inconclusive(name, window, f"the monitor failed: {verdict.reason}")
        verdicts.append(verdict)
    return Judgement(verdicts=tuple(verdicts), explanation=None, failed=tuple(failed))


def _verdict(name: str, window: Window, reference: Reference, settings: MonitorSettings) -> Verdict:
    from monitors.window import monitors_by_name

    return monitors_by_name.build(name, settings).judge(window, reference)


def _confirmed(judged: Judgement, settings: MonitorSettings) -> bool:
    return settings.confirming and any(
        verdict.finding is Finding.DRIFT and verdict.monitor in settings.confirm_by
        for verdict in judged.verdicts
    )


def _recurrence(
    window: Window, current: Reference, earlier: Sequence[Reference], settings: MonitorSettings
) -> RecurrenceResult:
    from monitors.window.recurrence import cannot_tell, recognise

    matched = [_time_matched(window, one, settings) for one in earlier]
    result = _result_or_failure(
        lambda: recognise(window, current, matched, minimum=settings.minimum, seed=settings.seed)
    )
    if isinstance(result, _Failure):
        return cannot_tell(window, f"the comparison failed: {result.reason}")
    return result


def _explained(
    judged: Judgement, window: Window, reference: Reference, settings: MonitorSettings
) -> Judgement:
    """Add what changed, and the report of it."""
    from monitors.explanation.explain import explain
    from monitors.explanation.report import packed_report

    limit, seed, aspect = settings.explanation_limit, settings.seed, settings.leading_aspect
    explanation = _result_or_failure(
        lambda: explain(window, reference, limit=limit, seed=seed, leading_aspect=aspect)
    )
    if isinstance(explanation, _Failure):
        return judged
    report = _result_or_failure(
        lambda: packed_report(
            window, reference, judged.verdicts, explanation, settings, recurrence=judged.recurrence
        )
    )
    if isinstance(report, _Failure):
        return replace(judged, explanation=explanation, failed=(*judged.failed, "report"))
    return replace(judged, explanation=explanation, report=report)


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str


def _result_or_failure(action: Callable[[], _T]) -> _T | _Failure:
    """Return the action's result, or why it failed: one failure must not affect the other results."""
    try:
        return action()
    except Exception as error:  # noqa: BLE001  whatever it was, the other monitors still judge
        _log.error("judging failed: %s: %s", type(error).__name__, error)
        return _Failure(f"{type(error).__name__}: {error}")
