"""What holds automatic trainings back, although there is nothing to wait for: an operator has to look first."""

from daemon.config.live import LiveSettings
from daemon.domain.decisions import FOR_AN_OPERATOR
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.runs import FailedRun, RunLedger
from daemon.training.new_lessons import count_new_lessons
from learners.errors import Diverged, Unlearnable, error_named

_ORDER = "`retuned train -m REASON` trains all the same"


class HeldBack:
    """Holds automatic trainings back until there are enough new lessons, or an operator asks for one.

    So what can't be learned is not tried again and again, and nothing is learned from the little that is left of a
    stream without anybody knowing.
    """

    def __init__(self, conversations: ConversationLedger, runs: RunLedger, settings: LiveSettings) -> None:
        """After ``policy.min_new_lessons`` more a training is tried again."""
        self._conversations = conversations
        self._runs = runs
        self._settings = settings
        self._reason: str | None = None
        self._since = 0

    def put(self, reason: str) -> str:
        """Hold back because of what is in the ledger now; return what decisions wait for, in words."""
        self._reason = f"{FOR_AN_OPERATOR}: {reason}; {_ORDER}"
        self._since = self._conversations.last_seq() + 1
        return self._reason

    @property
    def reason(self) -> str | None:
        """What automatic trainings wait for, in words; None if they are not held back."""
        if self._reason is not None and self._count_since(self._since) >= self._enough:
            self._reason = None
        return self._reason or self._failure()

    def clear(self) -> None:
        """Let automatic trainings go on: one has started."""
        self._reason = None

    @property
    def _enough(self) -> int:
        return self._settings.current.policy.min_new_lessons

    def _failure(self) -> str | None:
        run = self._runs.newest_failure()
        if run is None or not _is_of_its_data(run):
            return None
        new = self._count_since(run.until_seq + 1)
        if new >= self._enough:
            return None
        return (
            f"{FOR_AN_OPERATOR}, or for {self._enough - new:,} more lessons: run {run.id} failed, and would on the "
            f"same data again ({run.error}); {_ORDER}"
        )

    def _count_since(self, seq: int) -> int:
        return count_new_lessons(self._conversations, self._settings.current, since=seq).count


def _is_of_its_data(run: FailedRun) -> bool:
    name = run.error.partition(":")[0]
    return isinstance(error_named(name, ""), Diverged | Unlearnable)
