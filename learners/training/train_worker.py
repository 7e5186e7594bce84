"""Runs one training in a child process: ``python -m learners.training.train_worker REQUEST.json [--stop-with-stdin]``.

JSON lines on stdout (learners.codec), logs on stderr. SIGTERM cancels, and with --stop-with-stdin the end of stdin
does too, which comes when the parent dies. Exit codes: 0 finished, 1 failed, 2 wrong usage, 3 cancelled.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from learners.children.json_lines import JsonLineWriter
from learners.codec import event_to_json, request_from_json
from learners.errors import BadRequest, Cancelled, LearnerError
from learners.types import Event, Failure, Progress, RunResult, TrainRequest

FINISHED, FAILED, USAGE, CANCELLED = 0, 1, 2, 3


def main(arguments: list[str]) -> int:
    """Run one request; the last line and the exit code tell how it ended."""
    if not arguments or arguments[1:] not in ([], ["--stop-with-stdin"]):
        sys.stderr.write("usage: python -m learners.training.train_worker REQUEST.json [--stop-with-stdin]\n")
        return USAGE
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if arguments[1:]:
        threading.Thread(target=_wait_for_end_of_stdin, args=[stop], daemon=True).start()
    lines = JsonLineWriter()
    try:
        event: Event = train(
            _read(Path(arguments[0])), lambda progress: lines.write(event_to_json(progress)), stop.is_set
        )
    except LearnerError as error:
        event = failure_of(error)
    except BrokenPipeError:
        return CANCELLED  # the parent is gone: nobody to tell
    try:
        lines.write(event_to_json(event))
    except BrokenPipeError:
        return CANCELLED
    if isinstance(event, Failure):
        return CANCELLED if event.error == Cancelled.__name__ else FAILED
    return FINISHED


def _read(file: Path) -> TrainRequest:
    try:
        return request_from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"the request {file} can't be read: {error}") from error


def train(
    request: TrainRequest, report: Callable[[Progress], None], should_stop: Callable[[], bool]
) -> RunResult:
    """Run one request in this process. See learners.training.methods.Learner."""
    from learners.training.methods import METHODS

    learn = METHODS.get(request.method)
    if learn is None:
        raise BadRequest(f"method must be one of {', '.join(METHODS)}, not {request.method!r}")
    return learn(request, report, should_stop)


def failure_of(error: LearnerError) -> Failure:
    """Return the event that tells of an error."""
    return Failure(error=type(error).__name__, message=str(error), permanent=error.permanent)


def _wait_for_end_of_stdin(stop: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
