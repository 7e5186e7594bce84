"""Opens the ledger at the start, once its server is up."""

import logging
from collections.abc import Callable
from typing import TypeVar

from daemon.domain.backoff import Backoff
from daemon.domain.errors import LedgerUnavailable

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_FIRST_S, _LONGEST_S, _WITHIN_S = 0.5, 5.0, 60.0


def open_when_up(
    open_ledger: Callable[[], _T], *, clock: Callable[[], float], wait: Callable[[float], bool]
) -> _T | None:
    """Open the ledger; while it can't be used, try again for a minute. Return None if told to stop meanwhile.

    After that it more likely is a wrong setting than a server that starts: raises LedgerUnavailable. ``clock`` is in
    seconds; ``wait`` sleeps and returns whether the daemon was told to stop.
    """
    backoff, began = Backoff(_FIRST_S, _LONGEST_S), clock()
    while True:
        try:
            return open_ledger()
        except LedgerUnavailable as error:
            now = clock()
            if now - began >= _WITHIN_S:
                raise
            if not backoff.failures:
                _log.warning("%s; waiting for it", error, extra={"action": "start"})
            if wait(backoff.fail(now)):
                return None
