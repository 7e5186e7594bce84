"""Notes how long a teacher has failed."""

import logging
from dataclasses import dataclass
from datetime import datetime

from daemon.domain.teaching import Reply, TeacherOutcome

_log = logging.getLogger(__name__)
#: Failures in a row from which the teacher counts as failing.
FAILING_FROM = 3


@dataclass(slots=True)
class TeacherHealth:
    """The calls that have failed since the last one that was answered."""

    failures: int = 0
    since: datetime | None = None  # when the first of them began
    reason: str = ""  # of the last one

    def note(self, reply: Reply, now: datetime) -> None:
        """Count a call. The first failure and the first answer after failures are logged."""
        if reply.outcome is TeacherOutcome.ANSWERED:
            if self.failures >= FAILING_FROM:
                _log.info("the teacher answers again", extra={"action": "teach"})
            self.failures, self.since, self.reason = 0, None, ""
            return
        self.failures += 1
        self.reason = reply.reason or reply.outcome.value
        if self.since is None:
            self.since = now
        if self.failures == FAILING_FROM:
            _log.warning("the teacher fails: %s", self.reason, extra={"action": "teach"})

    @property
    def failing_since(self) -> datetime | None:
        """Since when it has failed; None while that is not known."""
        return self.since if self.failures >= FAILING_FROM else None
