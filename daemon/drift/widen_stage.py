"""Widens the reference until it spans a full cycle of the stream."""

import logging

from daemon.config.settings import WindowsSection
from daemon.domain.clock import Clock
from daemon.ledger.stores import Stores

_log = logging.getLogger(__name__)


class WidenStage:
    """Adds judged windows to the reference until it spans ``windows.reference_days``.

    The first reference is in use as soon as it is full, so drift is detected from the first day. A confirmed alarm stops
    the widening, whether or not it was answered by a training: later conversations may be the change itself. An alarm
    that was dropped does not stop it.
    """

    name = "widening"

    def __init__(self, stores: Stores, windows: WindowsSection, *, clock: Clock) -> None:
        self._references = stores.references
        self._windows = stores.windows
        self._days = windows.reference_days
        self._clock = clock
        self._last_judged: int | None = None  # the newest judged window at the last attempt

    def step(self) -> None:
        """Try once after each judged window."""
        if not self._days:
            return
        judged = self._windows.newest_judged()
        if judged == self._last_judged:
            return
        self._last_judged = judged
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
        """Nothing to release."""
