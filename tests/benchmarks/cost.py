"""What reading records took, as processes that are measured report it."""

import json
import sys
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Records read, and what that took. Processor time is the process's own, all threads, without children."""

    records: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of processor time a record."""
        return self.cpu_seconds / self.records * 1e6


class Meter:
    """Measures from the first records on, which are not counted: connecting and joining are no part of it."""

    def __init__(self) -> None:
        self.seen = 0
        self._first = 0
        self._begin = self._end = (0.0, 0.0)

    def add(self, records: int) -> None:
        """Count records that were just read."""
        now = (time.monotonic(), time.process_time())
        if not self.seen:
            self._first, self._begin = records, now
        self.seen += records
        self._end = now

    def tell(self) -> None:
        """Print the cost, for the process that asked for it."""
        seconds, cpu_seconds = (end - begin for begin, end in zip(self._begin, self._end, strict=True))
        cost = Cost(records=self.seen - self._first, seconds=seconds, cpu_seconds=cpu_seconds)
        sys.stdout.write(json.dumps(asdict(cost)) + "\n")
        sys.stdout.flush()


def told(line: str) -> Cost:
    """Read what ``tell`` printed."""
    return Cost(**json.loads(line))


def together(costs: list[Cost]) -> Cost:
    """Return the sum of the costs of processes that worked at the same time."""
    return Cost(
        records=sum(cost.records for cost in costs),
        seconds=max(cost.seconds for cost in costs),
        cpu_seconds=sum(cost.cpu_seconds for cost in costs),
    )


def typical(costs: list[Cost]) -> Cost:
    """Return the round whose processor time a record is the median."""
    return sorted(costs, key=lambda cost: cost.cpu_us)[len(costs) // 2]
