"""Chooses which conversations of a user count, as those of one user depend on each other.

The first conversation of a user in each block of consecutive conversations counts. The same rule holds for the stream,
for windows and for the reference; with different rules, a frequent user would have more weight on one side. The choice
depends only on who talked when, never on the text.
"""

from collections import deque
from collections.abc import Iterable

#: Maximum length of a block, in conversations.
LONGEST_BLOCK = 400


def block_length(users: Iterable[str]) -> int:
    """Return the length of a block: the number of distinct ``users`` of a reference, at most LONGEST_BLOCK.

    A small team gets short blocks, as its users return soon and would otherwise hardly ever count.
    """
    return min(LONGEST_BLOCK, len(set(users))) or LONGEST_BLOCK


def first_in_block(conversations: Iterable[tuple[int, str]], block: int) -> set[int]:
    """Return the places of the conversations that count.

    ``conversations``: place and user of each, in order of place.
    """
    found: dict[tuple[str, int], int] = {}
    for place, user in conversations:
        found.setdefault((user, place // block), place)
    return set(found.values())


class Block:
    """The users who have counted in the current block of a stream."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._number = -1
        self._users: set[str] = set()

    def counted(self, user: str, place: int) -> bool:
        """Whether a conversation of the user has counted in the block of ``place``. Places rise."""
        return place // self._size == self._number and user in self._users

    def add(self, user: str, place: int) -> None:
        """Remember that the user's conversation at ``place`` counts."""
        if place // self._size != self._number:
            self._number, self._users = place // self._size, set()
        self._users.add(user)


class RecentUsers:
    """The users who counted within a distance, for a sequence of places in one order."""

    def __init__(self, distance: int) -> None:
        self._distance = distance
        self._recent: deque[tuple[str, int, int]] = deque()  # user, key, place in the stream
        self._last: dict[str, int] = {}

    @property
    def keys(self) -> tuple[int, ...]:
        """The key of each remembered conversation, the oldest first."""
        return tuple(key for _, key, _ in self._recent)

    @property
    def places(self) -> tuple[int, ...]:
        """The place of each remembered conversation, the oldest first."""
        return tuple(place for _, _, place in self._recent)

    def counted(self, user: str, place: int) -> bool:
        """Whether the user has counted within the distance before ``place``. Forgets users who counted earlier."""
        while self._recent and place - self._recent[0][2] >= self._distance:
            gone, _, at = self._recent.popleft()
            if self._last[gone] == at:
                del self._last[gone]
        return user in self._last

    def add(self, user: str, key: int, place: int) -> None:
        """Remember that the user's conversation counts at ``place``, under a key. Places rise."""
        self._recent.append((user, key, place))
        self._last[user] = place
