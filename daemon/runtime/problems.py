"""The one place where problems are reported: the probes, the metric and ``status`` all speak from it."""

from collections.abc import Mapping

from daemon.domain.problems import ProblemKind
from daemon.http.health import Component, Health
from daemon.telemetry.metrics import Metrics

_COMPONENTS: Mapping[ProblemKind, Component] = {
    ProblemKind.LEDGER_UNREACHABLE: Component.LEDGER,
    ProblemKind.LEDGER_LOST: Component.LEDGER,
    ProblemKind.ARTIFACT_DAMAGED: Component.ARTIFACT,
    ProblemKind.TARGET_DIFFERS: Component.TARGET,
    ProblemKind.BOUND: Component.BOUND,
    ProblemKind.SCORER_DOWN: Component.SCORER,
    ProblemKind.BROKER: Component.BROKER,
    ProblemKind.DEAD_LETTERS: Component.DEAD_LETTERS,
    ProblemKind.INTAKE_HALTED: Component.INTAKE,
}


class Problems:
    """What is wrong now, by kind. ``retuned status`` reads it from ``/readyz``."""

    def __init__(self, health: Health, metrics: Metrics) -> None:
        self._health = health
        self._metric = metrics.process.problem
        self._found: dict[ProblemKind, str] = {}

    def report(self, kind: ProblemKind, problem: str | None) -> None:
        """Record the problem of a kind in one sentence, or None when there is none."""
        if problem is None:
            self._found.pop(kind, None)
        else:
            self._found[kind] = problem
        self._metric(kind).set(0 if problem is None else 1)
        component = _COMPONENTS[kind]
        of_component = (self._found[each] for each in self._found if _COMPONENTS[each] is component)
        self._health.report(component, next(of_component, None))
