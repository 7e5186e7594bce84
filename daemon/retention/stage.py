"""Runs retention: deletes what the settings no longer keep."""

import logging
import shutil
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path

from daemon.domain.clock import Clock, Interval
from daemon.retention.conversations import PAGE, ConversationRetention
from daemon.retention.history import HistoryRetention
from daemon.telemetry.metrics import Metrics, Pruned

_log = logging.getLogger(__name__)
_CONVERSATIONS_EVERY = timedelta(seconds=5)
_HISTORY_EVERY = timedelta(minutes=1)
#: Folders of runs that stay, to look into: data, checkpoints, logs. A run's version is in the artifact store.
_FOLDERS_KEPT = 3


class RetentionStage:
    """Prunes the ledger and the folders of runs, a page at a step, so that the loop is never held up.

    While there is more to let go of it goes on at every step, and so keeps pace with the intake.
    """

    name = "retention"

    def __init__(
        self,
        conversations: ConversationRetention,
        history: HistoryRetention,
        *,
        scored: Callable[[], Collection[str]],
        runs_dir: Path,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``scored`` names the versions that may still be compared."""
        self._conversations = conversations
        self._history = history
        self._scored = scored
        self._runs_dir = runs_dir
        self._metrics = metrics.process
        self._clock = clock
        self._soon = Interval(_CONVERSATIONS_EVERY)
        self._later = Interval(_HISTORY_EVERY)

    def step(self) -> None:
        """Let go of a page, if it is time."""
        now = self._clock()
        if self._soon.is_due(now) and not self._prune_conversations(now):
            self._soon.start(now)
        if self._later.is_due(now) and not self._prune_history(now):
            self._later.start(now)
            self._remove_folders()

    def _prune_conversations(self, now: datetime) -> int:
        went = self._conversations.prune(now)
        self._count("conversations", went)
        return went

    def _prune_history(self, now: datetime) -> bool:
        """Return whether there may be more to let go of."""
        feedback = self._conversations.prune_feedback(now)
        self._count("feedback", feedback)
        went = self._history.prune(now, scored=self._scored())
        for table, rows in went.items():
            self._count(table, rows)
        return max(feedback, *went.values(), 0) >= PAGE

    def close(self, timeout_s: float) -> None:
        """Nothing to let go of."""

    def _count(self, table: Pruned, rows: int) -> None:
        if rows:
            self._metrics.pruned(table).inc(rows)
            _log.debug("%s rows of %s are gone", rows, table, extra={"action": "retention"})

    def _remove_folders(self) -> None:
        folders = [path for path in self._runs_dir.glob("r*") if path.name[1:].isdecimal()]
        for old in sorted(folders, key=lambda path: int(path.name[1:]))[:-_FOLDERS_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
