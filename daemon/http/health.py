"""What the probes of the supervisor are told: is the loop alive, and can the daemon do its work."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock


class Component(StrEnum):
    """What must work for the daemon to be ready."""

    BROKER = "broker"
    INTAKE = "intake"
    LEDGER = "ledger"
    SCORER = "scorer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a probe is told."""

    ok: bool
    body: Mapping[str, object]  # plain values, for JSON


class Health:
    """Gathers what the loop and its components report. Thread-safe.

    Alive and ready differ: a daemon that can't reach its broker is alive, and a restart would not help it.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        components: Iterable[Component] = tuple(Component),
        stalled_after_s: float = 120.0,
    ) -> None:
        """Take a monotonic clock in seconds: a wall clock that is set back would hide a loop that hangs."""
        self._clock = clock
        self._stalled_after_s = stalled_after_s
        self._lock = Lock()
        self._beat_at = clock()  # starting up counts as a turn
        self._problems: dict[Component, str] = dict.fromkeys(components, "has not reported yet")

    def beat(self) -> None:
        """Note that the loop makes a turn."""
        with self._lock:
            self._beat_at = self._clock()

    def report(self, component: Component, problem: str | None) -> None:
        """Note how a component is: its problem in one sentence, or None when it works."""
        with self._lock:
            if problem is None:
                self._problems.pop(component, None)
            else:
                self._problems[component] = problem

    def live(self) -> Answer:
        """Say whether the loop has made a turn lately."""
        with self._lock:
            since = self._clock() - self._beat_at
        live = since <= self._stalled_after_s
        return Answer(
            ok=live,
            body={
                "status": "live" if live else "stalled",
                "seconds_since_turn": round(since, 3),
                "stalled_after_seconds": self._stalled_after_s,
            },
        )

    def ready(self) -> Answer:
        """Say whether all components work. One that has never reported does not."""
        with self._lock:
            problems = {component.value: problem for component, problem in self._problems.items()}
        return Answer(
            ok=not problems, body={"status": "not ready" if problems else "ready", "problems": problems}
        )
