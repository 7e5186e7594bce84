"""Plans a run: which version it continues from, what it learns from, and with which settings."""

from pathlib import Path

from daemon.config.live import LiveSettings
from daemon.config.settings import Settings
from daemon.ledger.stores import Stores
from daemon.training.built_dataset import Dataset
from daemon.training.dataset import build_dataset
from daemon.training.from_settings import lora_settings
from daemon.training.planned_run import PlannedRun
from daemon.training.protocols import Check
from learners.types import TrainRequest
from registry.line_logs import LineLogs, read_bar, read_logs
from registry.taint import tainted
from registry.types import Version


class RunPlanner:
    """Plans runs that continue from the live version, or from an earlier one.

    A run does not continue from a version that is tainted, or that an operator rolled back or rejected.
    """

    def __init__(self, stores: Stores, settings: LiveSettings, *, base: Path, base_digest: str) -> None:
        """``base`` is the base model's folder."""
        self._stores = stores
        self._settings = settings
        self._base = base
        self._base_digest = base_digest

    def __call__(
        self, run_id: str, *, since_seq: int, folder: Path, check: Check = lambda: None
    ) -> PlannedRun:
        """Write the training file and return the planned run.

        Raises NotEnoughData, RegistryError, OSError, and what ``check`` raises.
        """
        settings = self._settings.current  # of the whole plan
        until_seq = self._stores.conversations.last_seq()
        logs = read_logs(self._stores.versions, settings.model_line)
        history = logs.history
        parent = self._parent(settings.model_line, logs)
        # Fetched first: while the artifact store is down, no training set is built in vain.
        adapter = self._adapter(parent)
        check()
        dataset = build_dataset(
            self._stores.conversations,
            settings,
            since_seq=since_seq,
            path=folder / "data.jsonl",
            until_seq=until_seq,
            tuned=str(history.live) if history.live else None,
            check=check,
        )
        return PlannedRun(
            request=self._request(settings, run_id, dataset, adapter, output=folder / "artifact"),
            dataset=dataset,
            parent=str(parent.name) if adapter and parent else None,
            until_seq=until_seq,
        )

    def _parent(self, model_line: str, logs: LineLogs) -> Version | None:
        """Return the newest version of the live one's line that a run may continue from."""
        erased_runs = self._stores.erasures.runs_with_erased_records()
        tainted_names = tainted(self._stores.versions, model_line, erased_runs)
        for name in reversed(logs.history.line):
            if name not in tainted_names and read_bar(self._stores.versions, name, logs) is None:
                return self._stores.versions.version(name)
        return None

    def _adapter(self, parent: Version | None) -> Path | None:
        """Return a local folder with a version's adapter; None for the bare base."""
        if parent is None or parent.artifact is None:
            return None
        return self._stores.artifacts.fetch(parent.artifact, parent.digest)

    def _request(
        self, settings: Settings, run_id: str, dataset: Dataset, adapter: Path | None, *, output: Path
    ) -> TrainRequest:
        model, learning = settings.model, settings.learning
        return TrainRequest(
            run=run_id,
            base=self._base,
            base_digest=self._base_digest,
            parent=adapter,
            data=dataset.path,
            data_digest=dataset.digest,
            output=output,
            method=learning.method,
            settings=lora_settings(settings),
            seed=learning.seed,
            device=model.device,
            threads=model.threads,
            max_skipped=learning.max_skipped,
        )
