"""Tells whose conversations count: one of a user in so many, as those of one user depend on each other.

What is compared must be counted alike, or who talks often would weigh more on one side, and talk about what he talks about
more: of the stream, of windows, and of a reference that was drawn from the same ledger, the first of a user in each block
of conversations counts. Which these are follows from who talked when, and from nothing that was said.
"""

from collections import deque
from collections.abc import Iterable

#: In so many conversations one of a user counts, at most.
LONGEST_BLOCK = 400


def block_for(users: Iterable[str]) -> int:
    """Return in how many conversations one of a user counts: as many as a reference has ``users``, at most LONGEST_BLOCK.

    Fewer users come again sooner. Were each waited for longer, those of a small team would soon be heard no more.
    """
    return min(LONGEST_BLOCK, len(set(users))) or LONGEST_BLOCK


def firsts(said: Iterable[tuple[int, str]], block: int) -> set[int]:
    """Return the places of those that count. ``said``: place and user of each, in order of the places."""
    found: dict[tuple[str, int], int] = {}
    for place, user in said:
        found.setdefault((user, place // block), place)
    return set(found.values())


class Block:
    """Those who have counted in the block that a stream has come to."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._number = -1
        self._users: set[str] = set()

    def counted(self, user: str, place: int) -> bool:
        """Whether one of the user has counted in the block of ``place``. Places rise."""
        return place // self._size == self._number and user in self._users

    def add(self, user: str, place: int) -> None:
        """Remember that one of the user counts at ``place``."""
        if place // self._size != self._number:
            self._number, self._users = place // self._size, set()
        self._users.add(user)


class Users:
    """The users who counted within so many places, where all that is compared comes by in one order."""

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
