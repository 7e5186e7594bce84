"""Plans a run: its data from the ledger, its settings, and the version it starts from."""

from dataclasses import dataclass
from pathlib import Path

from daemon.dataset import DatasetSettings, build
from daemon.ledger.conversations import ConversationLedger
from daemon.requests import PlannedRun
from learners.types import LoraSettings, TrainRequest
from registry.artifacts import ArtifactStore
from registry.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Makes the request of a run: the live version goes on learning from what is new."""

    model_line: str
    base: Path
    base_digest: str
    conversations: ConversationLedger
    versions: Store
    artifacts: ArtifactStore
    data: DatasetSettings
    method: str
    settings: LoraSettings
    seed: int
    device: str
    threads: int

    def __call__(self, run_id: str, *, since_seq: int, folder: Path) -> PlannedRun:
        """Write the training file and return the whole request. Raises NotEnoughData, BadArtifact, OSError."""
        until_seq = self.conversations.last_seq()
        live = self.versions.history(self.model_line).live
        dataset = build(
            self.conversations,
            since_seq=since_seq,
            settings=self.data,
            path=folder / "data.jsonl",
            tuned=str(live) if live else None,
        )
        parent = self.versions.version(live) if live else None
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
            parent=str(live) if adapter and live else None,
            until_seq=until_seq,
        )
