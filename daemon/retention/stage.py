"""Runs retention: deletes what the settings do not keep."""

import logging
import shutil
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path

from daemon.domain.clock import Clock, Interval
from daemon.domain.log_once import LogOnce
from daemon.retention.conversations import PAGE, ConversationRetention
from daemon.retention.history import HistoryRetention
from daemon.telemetry.metrics import Metrics, Pruned

_log = logging.getLogger(__name__)
_CONVERSATIONS_EVERY = timedelta(seconds=5)
_HISTORY_EVERY = timedelta(minutes=1)
#: The newest folders of runs that are kept for inspection: data, checkpoints, logs. Versions are in the artifact store.
_FOLDERS_KEPT = 3


class RetentionStage:
    """Prunes the ledger and the folders of runs, a page at each step, so that the loop is never blocked.

    While there is more to delete it prunes at every step, to keep pace with intake; otherwise at intervals.
    """

    name = "retention"

    def __init__(
        self,
        conversations: ConversationRetention,
        history: HistoryRetention,
        *,
        scored: Callable[[], Collection[str]],
        runs_dir: Path,
        delete_jobs: Callable[[], object],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """``scored`` returns the versions that a gate may still compare, whose scores are kept.

        ``delete_jobs`` deletes the files of jobs whose runs have ended from the artifact store.
        """
        self._conversations = conversations
        self._history = history
        self._scored = scored
        self._runs_dir = runs_dir
        self._delete_jobs = delete_jobs
        self._jobs = LogOnce("deleting the files of ended jobs", _log, extra={"action": "retention"})
        self._metrics = metrics.process
        self._clock = clock
        self._conversations_interval = Interval(_CONVERSATIONS_EVERY)
        self._history_interval = Interval(_HISTORY_EVERY)

    def step(self) -> None:
        """Delete a page, if it is due."""
        now = self._clock()
        if self._conversations_interval.is_due(now) and not self._prune_conversations(now):
            self._conversations_interval.start(now)
        if self._history_interval.is_due(now) and not self._prune_history(now):
            self._history_interval.start(now)
            self._remove_folders()
            self._remove_jobs()

    def _prune_conversations(self, now: datetime) -> int:
        deleted = self._conversations.prune(now)
        self._count("conversations", deleted)
        return deleted

    def _prune_history(self, now: datetime) -> bool:
        """Delete a page of each table; return whether there may be more to delete."""
        feedback = self._conversations.prune_feedback(now)
        self._count("feedback", feedback)
        deleted = self._history.prune(now, scored=self._scored())
        for table, rows in deleted.items():
            self._count(table, rows)
        return max(feedback, *deleted.values(), 0) >= PAGE

    def close(self, timeout_s: float) -> None:
        """Nothing to release."""

    def _count(self, table: Pruned, rows: int) -> None:
        if rows:
            self._metrics.pruned(table).inc(rows)
            _log.debug("deleted %s rows of %s", rows, table, extra={"action": "retention"})

    def _remove_jobs(self) -> None:
        try:
            self._delete_jobs()
        except OSError as error:  # the artifact store does not answer: later
            self._jobs.failed(error)
        else:
            self._jobs.recovered()

    def _remove_folders(self) -> None:
        folders = [path for path in self._runs_dir.glob("r*") if path.name[1:].isdecimal()]
        for old in sorted(folders, key=lambda path: int(path.name[1:]))[:-_FOLDERS_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
