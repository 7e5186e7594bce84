"""Tells whose conversations count: one of a user in so many, as those of one user depend on each other."""

import zlib
from collections import Counter, deque
from collections.abc import Sequence

from monitors.types import Sample


def apart_by(reference: Sequence[Sample], most: int) -> int:
    """Return in how many conversations one of a user counts: as many as the reference has users, at most ``most``.

    Fewer users come again sooner. Were each waited for longer, those of a small team would soon be heard no more.
    """
    return min(most, len({sample.group for sample in reference})) or most


def thinned(reference: Sequence[Sample], apart: int) -> list[Sample]:
    """Leave as many conversations of a user as count in a stream of that length, by a checksum of their ids.

    Who talks all day counts seldom in the stream; among those it is compared with he must not count for more.
    """
    most = max(1, round(len(reference) / apart))
    counts: Counter[str] = Counter()
    left = set()
    for sample in sorted(reference, key=lambda one: (zlib.crc32(one.id.encode()), one.id)):
        counts[sample.group] += 1
        if counts[sample.group] <= most:
            left.add(sample.id)
    return [sample for sample in reference if sample.id in left]


class Users:
    """The users who counted lately."""

    def __init__(self, apart: int) -> None:
        self._apart = apart
        self._lately: deque[tuple[str, int, int]] = deque()  # user, key, place in the stream
        self._last: dict[str, int] = {}

    @property
    def keys(self) -> tuple[int, ...]:
        """What each was remembered by, the oldest first."""
        return tuple(key for _, key, _ in self._lately)

    @property
    def places(self) -> tuple[int, ...]:
        """Where in the stream each was."""
        return tuple(place for _, _, place in self._lately)

    def counted(self, user: str, place: int) -> bool:
        """Whether one of the user has counted within so many before ``place``. Forgets whoever did earlier."""
        while self._lately and place - self._lately[0][2] >= self._apart:
            gone, _, at = self._lately.popleft()
            if self._last[gone] == at:
                del self._last[gone]
        return user in self._last

    def add(self, user: str, key: int, place: int) -> None:
        """Remember that one of the user counts at ``place``. Places rise."""
        self._lately.append((user, key, place))
        self._last[user] = place
