"""Tells the probes how the parts of the daemon are."""

from collections.abc import Callable, Mapping

from daemon.http.health import Component, Health


class ReportingStage:
    """Asks each component at every turn what its problem is, if any."""

    name = "reporting"

    def __init__(self, health: Health, probes: Mapping[Component, Callable[[], str | None]]) -> None:
        self._health = health
        self._probes = probes

    def step(self) -> None:
        """Pass the answers on."""
        for component, problem in self._probes.items():
            self._health.report(component, problem())

    def close(self, timeout_s: float) -> None:
        """Nothing to let go of."""
