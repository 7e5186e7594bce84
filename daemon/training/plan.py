"""Plans a run: its data from the ledger, its settings, and the version it starts from."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from daemon.ledger.conversations import ConversationLedger
from daemon.training.dataset import DatasetSettings, build
from daemon.training.planned_run import PlannedRun
from learners.types import LoraSettings, TrainRequest
from registry.artifacts import ArtifactStore
from registry.store import Store
from registry.taint import newest_clean, tainted


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlanner:
    """Makes the request of a run: the live version, or the newest clean one before it, goes on learning."""

    model_line: str
    base: Path
    base_digest: str
    conversations: ConversationLedger
    versions: Store
    artifacts: ArtifactStore
    erased_runs: Callable[[], Collection[str]]  # runs that learned from what was forgotten since
    data: DatasetSettings
    method: str
    settings: LoraSettings
    seed: int
    device: str
    threads: int

    def __call__(self, run_id: str, *, since_seq: int, folder: Path) -> PlannedRun:
        """Write the training file and return the whole request. Raises NotEnoughData, BadArtifact, OSError."""
        until_seq = self.conversations.last_seq()
        history = self.versions.history(self.model_line)
        live = history.live
        dataset = build(
            self.conversations,
            since_seq=since_seq,
            settings=self.data,
            path=folder / "data.jsonl",
            tuned=str(live) if live else None,
        )
        start = newest_clean(
            history.line, tainted(self.versions.versions(self.model_line), self.erased_runs())
        )
        parent = self.versions.version(start) if start else None
        adapter = None
        if parent is not None and parent.artifact is not None:
            adapter = self.artifacts.fetch(parent.artifact, parent.digest)
        request = TrainRequest(
            run=run_id,
            base=self.base,
            base_digest=self.base_digest,
            parent=adapter,
            data=dataset.path,
            data_digest=dataset.digest,
            output=folder / "artifact",
            method=self.method,
            settings=self.settings,
            seed=self.seed,
            device=self.device,
            threads=self.threads,
        )
        return PlannedRun(
            request=request,
            dataset=dataset,
            parent=str(start) if adapter and start else None,
            until_seq=until_seq,
        )
