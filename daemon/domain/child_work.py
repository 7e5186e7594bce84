"""Notes what child processes spent their time on, for traces."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from daemon.domain.spans import Attribute

#: The most pieces of work that wait to be told; older ones are dropped.
_MOST = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildWork:
    """A piece of work of a child process."""

    name: str
    start: datetime
    end: datetime
    run: str | None = None  # the run that it was for; None: the newest one
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


class ChildWorkLog:
    """Collects pieces of work from any thread until they are taken. Bounded."""

    def __init__(self) -> None:
        self._works: deque[ChildWork] = deque(maxlen=_MOST)

    def add(self, work: ChildWork) -> None:
        """Note a piece of work that has ended."""
        self._works.append(work)

    def take(self) -> list[ChildWork]:
        """Return what was noted since the last call."""
        taken = []
        while self._works:
            taken.append(self._works.popleft())
        return taken
