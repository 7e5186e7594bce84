"""Releases versions: follows the promotion log, and takes candidates through the gate."""

from daemon.config.live import LiveSettings
from daemon.domain.answer_judge import AnswerJudge
from daemon.domain.clock import Clock
from daemon.ledger.stores import Stores
from daemon.release.candidate_gate import CandidateGate
from daemon.release.live_artifact import LiveArtifactCheck
from daemon.release.log_follower import LogFollower
from daemon.scoring.protocol import VersionScorer
from daemon.telemetry.metrics import Metrics
from registry.line_logs import read_logs


class ReleaseStage:
    """Serves what the promotion log says is live, and takes the newest candidate through the gate.

    A promotion by the gate is one more entry of the log. From there it takes the same path as an operator's command.
    """

    name = "releasing"

    def __init__(
        self,
        stores: Stores,
        settings: LiveSettings,
        scorer: VersionScorer,
        *,
        metrics: Metrics,
        clock: Clock,
        judge: AnswerJudge | None = None,
    ) -> None:
        """``judge`` compares what versions answer at the gate, where one is configured."""
        self._stores = stores
        self._model_line = settings.current.model_line
        self._scorer = scorer
        self._metrics = metrics.release
        self._follower = LogFollower(stores, settings.current, metrics=metrics, clock=clock)
        self._artifact = LiveArtifactCheck(stores, clock=clock)
        self._gate = CandidateGate(stores, settings, scorer, judge=judge, metrics=metrics, clock=clock)

    @property
    def comparing(self) -> bool:
        """Whether the scorer works for the gate."""
        return self._gate.comparing

    @property
    def artifact_problem(self) -> str | None:
        """What is wrong with the live version's files; None if nothing is known."""
        return self._artifact.problem

    @property
    def target_problem(self) -> str | None:
        """Why the target does not serve what the promotion log says is live; None if it does."""
        return self._follower.problem

    def read_pending_work(self) -> str | None:
        """Return in words which candidate is being compared or waits for data; reads the registry."""
        return self._gate.read_pending_work()

    def step(self) -> None:
        """Follow the logs, then continue with the candidate at the gate."""
        logs = read_logs(self._stores.versions, self._model_line)
        self._metrics.held("promotion").set(logs.hold is not None)
        self._metrics.held("training").set(logs.orders.paused is not None)
        self._follower.follow(logs.history)
        self._artifact.step(logs.history)
        self._scorer.step()
        self._gate.step(logs)

    def close(self, timeout_s: float) -> None:
        """End the scorer."""
        self._scorer.close(timeout_s)
