"""Closes stages."""

import logging
import time
from collections.abc import Sequence

from daemon.domain.errors import LedgerError
from daemon.runtime.stage import Stage

_log = logging.getLogger(__name__)
_LEAST_S = 0.5


def close_all(stages: Sequence[Stage], timeout_s: float, *, action: str) -> None:
    """Close every stage, the last first, each with an equal share of the time that is left.

    A stage that fails to close is logged, and the others are still closed: no child process may be left behind.
    ``action`` goes with the log records.
    """
    deadline = time.monotonic() + timeout_s
    for left, stage in zip(range(len(stages), 0, -1), reversed(stages), strict=True):
        started = time.monotonic()
        try:
            stage.close(max(_LEAST_S, (deadline - started) / left))
        except LedgerError as error:
            _log.warning("closing %s without the ledger: %s", stage.name, error, extra={"action": action})
        except Exception:  # noqa: BLE001 - one stage's failure must not leave the others' children behind
            _log.exception("closing %s failed", stage.name, extra={"action": action})
        _log.info("%s closed in %.1f s", stage.name, time.monotonic() - started, extra={"action": action})
