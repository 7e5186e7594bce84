"""Liveness and readiness of a daemon with several model lines."""

from collections.abc import Callable, Mapping

from daemon.http.health import Answer


class LinesProbes:
    """Answers for all lines: each keeps its own state.

    The daemon is ready while a line is, so that one line's failure takes no other from service. It is live while no line
    hangs: a line that ends by a failure is started again without a restart of the daemon.
    """

    def __init__(
        self, live: Mapping[str, Callable[[], Answer]], ready: Mapping[str, Callable[[], Answer]]
    ) -> None:
        """Both return the answer of each line, by its name."""
        self._live = live
        self._ready = ready

    def live(self) -> Answer:
        """Return whether no line hangs."""
        answers = {name: answer() for name, answer in self._live.items()}
        ok = all(answer.ok for answer in answers.values())
        lines = {name: answer.body for name, answer in answers.items()}
        return Answer(ok=ok, body={"status": "live" if ok else "stalled", "lines": lines})

    def ready(self) -> Answer:
        """Return whether a line is ready, and the state of each."""
        answers = {name: answer() for name, answer in self._ready.items()}
        ok = any(answer.ok for answer in answers.values())
        lines = {name: answer.body for name, answer in answers.items()}
        return Answer(ok=ok, body={"status": "ready" if ok else "not ready", "lines": lines})
