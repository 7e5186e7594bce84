"""Measures how long partitions have delivered nothing although they have records."""

from dataclasses import dataclass

from daemon.domain.streams import TopicPartition


@dataclass(slots=True)
class _Standstill:
    """How long a partition was polled at one position without a record."""

    position: int
    seconds: float = 0.0
    unconfirmed: float = 0.0  # seconds since the broker's last answer
    reachable: bool = False  # at any time since then


class Progress:
    """Counts the time in which records could have arrived but did not.

    Only time spent polling counts: a consumer that is busy elsewhere is slow, not stalled. It counts only while the
    cluster answers other requests and the partition's leader is reachable: an unreachable broker has not stalled.
    """

    def __init__(self, stalled_after_s: float, *, longest_silence_s: float) -> None:
        self._stalled_after_s = stalled_after_s
        self._longest_silence_s = longest_silence_s
        self._answered_at: float | None = None
        self._standstills: dict[TopicPartition, _Standstill] = {}

    def start_over(self) -> None:
        """Forget everything."""
        self._answered_at = None
        self._standstills.clear()

    def answered(self, at: float) -> None:
        """Note the cluster's latest answer. The time since the one before counts, unless that was long ago."""
        before, self._answered_at = self._answered_at, at
        if at == before:
            return
        steady = before is not None and at - before <= self._longest_silence_s
        for standstill in self._standstills.values():
            standstill.seconds += standstill.unconfirmed if steady and standstill.reachable else 0.0
            standstill.unconfirmed, standstill.reachable = 0.0, False

    def stalled(
        self,
        partition: TopicPartition,
        position: int,
        end: int | None,
        waited_s: float,
        *,
        reachable: bool = True,
    ) -> bool:
        """Return whether a partition is stalled, after one more poll of ``waited_s``.

        ``end`` is None if unknown. ``reachable``: the partition's leader is connected now.
        """
        standstill = self._standstills.get(partition)
        if standstill is None or standstill.position != position or (end is not None and position >= end):
            standstill = self._standstills[partition] = _Standstill(position)
        else:
            standstill.unconfirmed += waited_s
            standstill.reachable |= reachable
        return standstill.seconds >= self._stalled_after_s
