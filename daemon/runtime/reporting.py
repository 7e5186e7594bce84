"""Reports the state of the daemon's components to the probes."""

from collections.abc import Callable, Iterable, Mapping

from daemon.http.health import Component, Health


class ReportingStage:
    """Passes each component's problem, if any, and notes to the probes at every step."""

    name = "reporting"

    def __init__(
        self,
        health: Health,
        problems: Mapping[Component, Callable[[], str | None]],
        notes: Callable[[], Iterable[str]],
    ) -> None:
        """``problems`` return what is wrong with a component, None where it is well; ``notes`` see Health.note."""
        self._health = health
        self._problems = problems
        self._notes = notes

    def step(self) -> None:
        """Report every component."""
        for component, read_problem in self._problems.items():
            self._health.report(component, read_problem())
        self._health.note(self._notes())

    def close(self, timeout_s: float) -> None:
        """Do nothing: the stage holds no resources."""
