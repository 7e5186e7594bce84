"""Judges a window with every monitor, and explains it where there is an alarm to explain.

Importing this is light; judging loads Evidently, which takes seconds: judge in a process of its own.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from monitors.errors import InvalidSettings
from monitors.sample_requirements import SampleRequirements, inconclusive
from monitors.times import spanned_days
from monitors.types import Aspect, Explanation, Finding, Monitor, Reference, Verdict, Window

MONITORS = ("mmd", "columns", "text_domain")

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitorSettings:
    """How windows are judged. Plain values: they cross to the judging process."""

    #: How rare false alarms are, while nothing changes. Larger: fewer of them, later detection.
    conversations_between_false_alarms: int = 20_000
    #: Permutations at least; more are drawn where the false-alarm rate needs them. Larger: finer p-values, slower.
    permutations: int = 1_999
    seed: int = 0
    #: Least evidence for a verdict. Larger: no verdict on small windows.
    minimum: SampleRequirements = field(default_factory=SampleRequirements)
    #: Which monitors run, of MONITORS.
    monitors: tuple[str, ...] = MONITORS
    #: Which may confirm an alarm of the sequential detector, on a window that the alarm did not come from.
    confirm_by: tuple[str, ...] = ("mmd",)
    #: Whether this window may. The test then has the level of a confirmation, else that of the declared rate.
    confirming: bool = False
    #: Level of a confirmation. Larger: weaker changes are confirmed, and more alarms of chance.
    confirmation_level: float = 0.05
    #: Whether this window is to be explained whatever the monitors find: an alarm was raised in it.
    alarmed: bool = False
    #: What changed most, by the alarm that is raised or stands: what an explanation is about.
    leading: Aspect | None = None
    #: What the sequential detector found in this window, for the report.
    detected: Verdict | None = None
    #: Words, characters and descriptors in an explanation at most.
    explanation_limit: int = 12
    #: Days of the stream's cycle: windows are then compared with conversations of their time of the day. 0: none.
    cycle_days: float = 0.0

    def __post_init__(self) -> None:
        unknown = {*self.monitors, *self.confirm_by} - {*MONITORS}
        if unknown:
            raise InvalidSettings(
                f"no such monitor: {', '.join(sorted(unknown))}; there are {', '.join(MONITORS)}"
            )
        if not {*self.confirm_by} <= {*self.monitors}:
            raise InvalidSettings("confirm_by must be among monitors: one that does not run can't confirm")
        if not 0 < self.confirmation_level < 1:
            raise InvalidSettings("confirmation_level must be between 0 and 1")
        if self.conversations_between_false_alarms < 1:
            raise InvalidSettings("conversations_between_false_alarms must be at least 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What all monitors concluded about a window, and what changed if there was or is an alarm."""

    verdicts: tuple[Verdict, ...]
    explanation: Explanation | None
    #: The same for people, with Evidently's report: an HTML page, compressed by gzip.
    report: bytes | None = None
    #: Names of monitors that failed; their verdicts are INCONCLUSIVE and say why. And "report", where that failed.
    failed: tuple[str, ...] = ()


def judge(
    window: Window, reference: Reference, settings: MonitorSettings, earlier: Sequence[Reference] = ()
) -> Judgement:
    """Judge a window. A monitor that fails gives INCONCLUSIVE with the reason, and the others still speak.

    Where there is an alarm to explain, it is also told whether one of the ``earlier`` references fits again.
    """
    alike = _compared(window, reference, settings)
    if len(alike.samples) < settings.minimum.reference <= len(reference.samples):
        unknown = Judgement(
            verdicts=_at_an_unknown_time(window, reference, alike, settings), explanation=None
        )
        return _explained(unknown, window, reference, settings) if settings.alarmed else unknown
    found = {name: _or_reason(_asked(name, window, alike, settings)) for name in settings.monitors}
    verdicts = tuple(
        inconclusive(name, window, f"the monitor failed: {said.reason}")
        if isinstance(said, _Failed)
        else said
        for name, said in found.items()
    )
    failed = tuple(name for name, said in found.items() if isinstance(said, _Failed))
    confirmed = settings.confirming and any(
        verdict.finding is Finding.DRIFT and verdict.monitor in settings.confirm_by for verdict in verdicts
    )
    if not confirmed and not settings.alarmed:
        return Judgement(verdicts=verdicts, explanation=None, failed=failed)
    recurrence = _recurrence(window, alike, earlier, settings) if earlier else ()
    judged = Judgement(verdicts=(*verdicts, *recurrence), explanation=None, failed=failed)
    return _explained(judged, window, alike, settings)


def _explained(
    judged: Judgement, window: Window, reference: Reference, settings: MonitorSettings
) -> Judgement:
    """Add what changed, and the report of it for people."""
    explanation = _explanation(window, reference, settings)
    if explanation is None:
        return judged
    report = _report(window, reference, judged.verdicts, explanation, settings)
    failed = judged.failed if report else (*judged.failed, "report")
    return replace(judged, explanation=explanation, report=report, failed=failed)


def build(name: str, settings: MonitorSettings) -> Monitor:
    """Return the monitor of that name. Loads Evidently."""
    rate = settings.conversations_between_false_alarms
    if name == "mmd":
        from monitors.window.mmd import TextDiscrepancyMonitor

        return TextDiscrepancyMonitor(
            conversations_between_false_alarms=rate,
            permutations=settings.permutations,
            seed=settings.seed,
            minimum=settings.minimum,
            level=settings.confirmation_level if settings.confirming else None,
        )
    if name == "columns":
        from monitors.window.columns import ColumnsMonitor

        return ColumnsMonitor(conversations_between_false_alarms=rate, minimum=settings.minimum)
    from monitors.window.text_domain import TextDomainMonitor

    return TextDomainMonitor(conversations_between_false_alarms=rate, minimum=settings.minimum)


def _asked(
    name: str, window: Window, reference: Reference, settings: MonitorSettings
) -> Callable[[], Verdict]:
    return lambda: build(name, settings).judge(window, reference)


def _compared(window: Window, reference: Reference, settings: MonitorSettings) -> Reference:
    from monitors.cycles import compared

    return compared(window, reference, cycle_days=settings.cycle_days)


def _at_an_unknown_time(
    window: Window, reference: Reference, alike: Reference, settings: MonitorSettings
) -> tuple[Verdict, ...]:
    """Say that the reference can't tell what is usual at the window's time of the day."""
    reason = (
        f"the reference has {len(alike.samples)} conversations of the window's time of the day, and "
        f"{settings.minimum.reference} are needed; it spans {spanned_days(reference.samples):.1f} of "
        f"{settings.cycle_days:g} days"
    )
    return tuple(inconclusive(name, window, reason) for name in settings.monitors)


def _recurrence(
    window: Window, current: Reference, earlier: Sequence[Reference], settings: MonitorSettings
) -> tuple[Verdict, ...]:
    from monitors.window.recurrence import NAME, recognise

    alike = [_compared(window, one, settings) for one in earlier]
    said = _or_reason(lambda: recognise(window, current, alike, minimum=settings.minimum, seed=settings.seed))
    if isinstance(said, _Failed):
        return (inconclusive(NAME, window, f"the comparison failed: {said.reason}"),)
    return (said,)


def _explanation(window: Window, reference: Reference, settings: MonitorSettings) -> Explanation | None:
    from monitors.explanation.explain import explain

    limit, seed = settings.explanation_limit, settings.seed
    found = _or_reason(lambda: explain(window, reference, limit=limit, seed=seed, leading=settings.leading))
    return None if isinstance(found, _Failed) else found


def _report(
    window: Window,
    reference: Reference,
    verdicts: tuple[Verdict, ...],
    explanation: Explanation,
    settings: MonitorSettings,
) -> bytes | None:
    from monitors.explanation.report import packed_report

    made = _or_reason(lambda: packed_report(window, reference, verdicts, explanation, settings))
    return None if isinstance(made, _Failed) else made


@dataclass(frozen=True, slots=True)
class _Failed:
    reason: str


def _or_reason(action: Callable[[], _T]) -> _T | _Failed:
    """Return what the action returns, or why it failed: one failure must not silence the others."""
    try:
        return action()
    except Exception as error:  # noqa: BLE001  whatever it was, the others speak
        _log.exception("judging failed")
        return _Failed(f"{type(error).__name__}: {error}")
