"""Liveness and readiness of the daemon."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

from pydantic import TypeAdapter

from daemon.config.reloading import ReloadReport

#: How ``/readyz`` tells of the latest reading of the settings, below ``reload``.
RELOAD_REPORT = TypeAdapter(ReloadReport)


class Component(StrEnum):
    """A component that must work for the daemon to be ready."""

    ARTIFACT = "artifact"
    BOUND = "bound"
    BROKER = "broker"
    DEAD_LETTERS = "dead_letters"
    INTAKE = "intake"
    LEDGER = "ledger"
    SCORER = "scorer"
    TARGET = "target"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to a probe."""

    ok: bool
    body: Mapping[str, object]  # JSON values


class Health:
    """Collects the reports of the main loop and of the components. Thread-safe.

    A daemon that can't reach its broker is live but not ready: a restart would not help.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        components: Iterable[Component] = tuple(Component),
        stalled_after_s: float = 120.0,
        model_line: str | None = None,
    ) -> None:
        """``clock`` must be monotonic, in seconds: setting back a wall clock would hide a loop that hangs.

        ``model_line`` is said by ``ready``, so that a probe notices another line's daemon.
        """
        self._clock = clock
        self._stalled_after_s = stalled_after_s
        self._line = {} if model_line is None else {"model_line": model_line}
        self._lock = Lock()
        self._beat_at = clock()  # the start counts as a turn
        self._problems: dict[Component, str] = dict.fromkeys(components, "has not reported yet")
        self._notes: tuple[str, ...] = ()
        self._reload: ReloadReport | None = None

    def beat(self) -> None:
        """Record a turn of the main loop."""
        with self._lock:
            self._beat_at = self._clock()

    def report(self, component: Component, problem: str | None) -> None:
        """Record the problem of a component in one sentence, or None when it works."""
        with self._lock:
            if problem is None:
                self._problems.pop(component, None)
            else:
                self._problems[component] = problem

    def note(self, notes: Iterable[str]) -> None:
        """Replace what operators should know of a daemon that may well be ready, a sentence each."""
        with self._lock:
            self._notes = tuple(notes)

    def show_reload(self, report: ReloadReport) -> None:
        """Show what the latest reading of the settings did."""
        with self._lock:
            self._reload = report

    def live(self) -> Answer:
        """Return whether the main loop made a turn recently."""
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
        """Return whether all components work. A component that has not reported does not."""
        with self._lock:
            problems = {component.value: problem for component, problem in self._problems.items()}
            notes, reload = list(self._notes), self._reload
        status = "not ready" if problems else "ready"
        body: dict[str, object] = {"status": status, **self._line, "problems": problems}
        body |= {"notes": notes} if notes else {}
        body |= {"reload": RELOAD_REPORT.dump_python(reload, mode="json")} if reload is not None else {}
        return Answer(ok=not problems, body=body)
