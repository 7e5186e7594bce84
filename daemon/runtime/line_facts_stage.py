"""Shows in the metrics what the ledger says of the line, and which of the leader's children run."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from daemon.domain.clock import Clock, Interval
from daemon.ledger.line_facts import LineFacts
from daemon.telemetry.metrics import ChildName, Metrics

#: Between two readings of the ledger, which take a few milliseconds each.
_EVERY = timedelta(seconds=15)


class LineFactsStage:
    """Sets gauges from the ledger rather than from events, so that alerts on them survive restarts and new leaders."""

    name = "line_facts"

    def __init__(
        self,
        read: Callable[[], LineFacts],
        *,
        alive: Mapping[ChildName, Callable[[], bool]],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``alive`` returns of each child that the leader always needs whether it runs."""
        self._read = read
        self._alive = alive
        self._metrics = metrics
        self._clock = clock
        self._interval = Interval(_EVERY)

    def step(self) -> None:
        """Show which children run; read and show the facts, if that is due."""
        self._metrics.process.child_up.replace(
            {(child,): float(alive()) for child, alive in self._alive.items()}
        )
        now = self._clock()
        if self._interval.is_due(now):
            self._interval.start(now)
            self._show(self._read())

    def close(self, timeout_s: float) -> None:  # noqa: ARG002  nothing to wait for
        """Show nothing: another replica may lead, and see what this one no longer sees."""
        metrics = self._metrics
        metrics.process.child_up.replace({})
        metrics.intake.stream_is(last_conversation=None, last_feedback=None, ceiling_ratio=None)
        metrics.training.last_run_is(None)
        metrics.release.silent()

    def _show(self, facts: LineFacts) -> None:
        conversation, feedback, gate = facts.last_conversation, facts.last_feedback, facts.gate_open_since
        self._metrics.intake.stream_is(
            last_conversation=conversation.timestamp() if conversation else None,
            last_feedback=feedback.timestamp() if feedback else None,
            ceiling_ratio=facts.ceiling_ratio,
        )
        self._metrics.training.last_run_is(facts.last_run)
        if facts.live_since is not None:
            kind, since = facts.live_since
            self._metrics.release.live_since(kind, since.timestamp())
        self._metrics.release.gate_open_since(gate.timestamp() if gate else None)
