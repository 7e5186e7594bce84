"""Reports the state of the daemon's components to the probes."""

from collections.abc import Callable, Mapping

from daemon.http.health import Component, Health


class ReportingStage:
    """Passes each component's problem, if any, to the probes at every step."""

    name = "reporting"

    def __init__(self, health: Health, problems: Mapping[Component, Callable[[], str | None]]) -> None:
        """``problems`` return what is wrong with a component, None where it is well."""
        self._health = health
        self._problems = problems

    def step(self) -> None:
        """Report every component."""
        for component, read_problem in self._problems.items():
            self._health.report(component, read_problem())

    def close(self, timeout_s: float) -> None:
        """Do nothing: the stage holds no resources."""
