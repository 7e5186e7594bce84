"""Has the reference span the stream's cycle, step by step."""

import logging

from daemon.domain.clock import Clock
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.windows import WindowLedger

_log = logging.getLogger(__name__)


class WidenStage:
    """Widens the reference over what was judged, until it spans a cycle, while no alarm stands against it.

    Nobody is blind for a week: the first reference is in use as soon as it is full. An alarm that a fresh window
    confirmed ends the widening, answered or not: what came since is not what the live version is known to handle. One
    that was dropped does not.
    """

    name = "widening"

    def __init__(
        self, references: ReferenceLedger, windows: WindowLedger, *, days: float, clock: Clock
    ) -> None:
        self._references = references
        self._windows = windows
        self._days = days
        self._clock = clock
        self._looked: int | None = None  # the newest window then judged

    def step(self) -> None:
        """Look once after each window that was judged."""
        if not self._days:
            return
        judged = self._windows.newest_judged()
        if judged == self._looked:
            return
        self._looked = judged
        if self._windows.alarm(after_seq=0) is not None:
            return
        wider = self._references.widen(days=self._days, now=self._clock())
        if wider is not None and wider.range is not None:
            _log.info(
                "the reference now spans %.1f of %g days: %s of conversations %s to %s",
                wider.spanned.total_seconds() / 86_400, self._days, wider.size, wider.range.first, wider.range.last,
                extra={"action": "reference"},
            )  # fmt: skip

    def close(self, timeout_s: float) -> None:
        """Nothing to let go of."""
