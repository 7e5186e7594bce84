"""Notices a partition that stands still although it has records."""

from dataclasses import dataclass

from daemon.domain.streams import TopicPartition


@dataclass(slots=True)
class _Standing:
    """How long a partition has been polled in vain at one position."""

    position: int
    seconds: float = 0.0
    unconfirmed: float = 0.0  # since the broker's last answer
    reachable: bool = False  # at some time since then


class Progress:
    """Counts the time in which records could have come and did not.

    Only time spent polling counts: a consumer that was busy elsewhere is slow, not stalled. And only while the cluster
    goes on answering other questions and the partition's leader can be connected: what is gone has not stalled.
    """

    def __init__(self, stalled_after_s: float, *, longest_silence_s: float) -> None:
        self._stalled_after_s = stalled_after_s
        self._longest_silence_s = longest_silence_s
        self._answered_at: float | None = None
        self._standing: dict[TopicPartition, _Standing] = {}

    def start_over(self) -> None:
        """Forget everything."""
        self._answered_at = None
        self._standing.clear()

    def answered(self, at: float) -> None:
        """Take note of the cluster's newest answer: what was polled since the one before counts, unless that was long ago."""
        before, self._answered_at = self._answered_at, at
        if at == before:
            return
        steady = before is not None and at - before <= self._longest_silence_s
        for standing in self._standing.values():
            standing.seconds += standing.unconfirmed if steady and standing.reachable else 0.0
            standing.unconfirmed, standing.reachable = 0.0, False

    def stalled(
        self, part: TopicPartition, position: int, end: int | None, waited_s: float, *, reachable: bool = True
    ) -> bool:
        """Whether it has stood still for long enough, after one more poll.

        ``end`` is None where it is unknown. ``reachable``: its leader is connected at this moment.
        """
        standing = self._standing.get(part)
        if standing is None or standing.position != position or (end is not None and position >= end):
            standing = self._standing[part] = _Standing(position)
        else:
            standing.unconfirmed += waited_s
            standing.reachable |= reachable
        return standing.seconds >= self._stalled_after_s
