"""Reports the state of the daemon's components to the probes and metrics."""

from collections.abc import Callable, Iterable, Mapping

from daemon.domain.problems import ProblemKind
from daemon.http.health import Health
from daemon.runtime.problems import Problems


class ReportingStage:
    """Reports the problem of each kind, if there is one, and passes notes to the probes, at every step."""

    name = "reporting"

    def __init__(
        self,
        health: Health,
        problems: Problems,
        sources: Mapping[ProblemKind, Callable[[], str | None]],
        notes: Callable[[], Iterable[str]],
    ) -> None:
        """``sources`` return what is wrong, None where all is well; ``notes`` see Health.note."""
        self._health = health
        self._problems = problems
        self._sources = sources
        self._notes = notes

    def step(self) -> None:
        """Report every kind."""
        for kind, read_problem in self._sources.items():
            self._problems.report(kind, read_problem())
        self._health.note(self._notes())

    def close(self, timeout_s: float) -> None:
        """Do nothing: the stage holds no resources."""
