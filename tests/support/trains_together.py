"""Trains requests one after the other, together with other processes: ``python -m tests.support.trains_together FILE...``.

Each file holds a request and after how many questions whether to stop the last process says yes. The first prints what became
of each, a line of JSON.
"""

import json
import sys
from pathlib import Path

from learners.codec import event_to_json, request_from_json
from learners.errors import LearnerError
from learners.training.methods import METHODS
from learners.training.peers import joined
from learners.training.train_worker import failure_of
from learners.types import Event


class StopAfter:
    """Says stop at the n-th question."""

    def __init__(self, questions: int) -> None:
        self._left = questions

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0


def main(files: list[str]) -> None:
    with joined() as peers:
        for file in files:
            document = json.loads(Path(file).read_text())
            request = request_from_json(document["request"])
            last = peers.rank == peers.size - 1
            stop = StopAfter(document["stop_after"] if last else sys.maxsize)
            try:
                event: Event = METHODS[request.method](request, lambda _: None, stop)
            except LearnerError as error:
                event = failure_of(error)
            if peers.first:
                sys.stdout.write(event_to_json(event) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
