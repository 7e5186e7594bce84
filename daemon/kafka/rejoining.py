"""Decides when a member without partitions joins its group again."""

from daemon.domain.backoff import Backoff

#: A group forms within some seconds; a member that has no partitions for longer joins again.
_UNASSIGNED_S, _UNASSIGNED_LONGEST_S = 12.0, 600.0


class RejoinPolicy:
    """Spaces the attempts on the clock of time spent polling, ever wider: more replicas than partitions is no fault."""

    def __init__(self) -> None:
        self._polled_s = 0.0
        self._attempts = Backoff(_UNASSIGNED_S, _UNASSIGNED_LONGEST_S)
        self.reset()

    @property
    def attempted(self) -> bool:
        """Whether the member has joined again since it had partitions last."""
        return self._attempts.failures > 1

    def due(self, waited_s: float) -> bool:
        """Return whether to join again, after one more poll of ``waited_s`` without partitions."""
        self._polled_s += waited_s
        if not self._attempts.ready(self._polled_s):
            return False
        self._attempts.fail(self._polled_s)
        return True

    def reset(self) -> None:
        """Begin the first wait: partitions are assigned, or there are none to assign yet."""
        self._attempts.reset()
        self._attempts.fail(self._polled_s)
