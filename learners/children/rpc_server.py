"""Serves calls of ``learners.children.rpc_client`` in a child process: requests are JSON lines on stdin, {"id", "op", ...}.

Answers are JSON lines on stdout: {"id", "done", "of"} as progress, then {"id", "result"} or {"id", "error",
"message"}. A failed request leaves the process as it was. If the process can't begin, one line {"error", "message"}
says why. The end of stdin ends the process.
"""

import ctypes
import json
import signal
import sys
from collections.abc import Callable, Mapping

from learners.children.json_lines import JsonLineWriter
from learners.errors import LearnerError

Request = Mapping[str, object]
Answer = Callable[[Request], object]
_PR_SET_PDEATHSIG = 1


def serve(begin: Callable[[JsonLineWriter], Answer]) -> int:
    """Serve requests until stdin ends; return the exit code. ``begin`` loads the model and returns the function that answers."""
    _end_with_parent()
    lines = JsonLineWriter()
    try:
        answer = begin(lines)
        for line in sys.stdin.buffer:
            _serve(answer, json.loads(line), lines)
    except LearnerError as error:
        lines.write(json.dumps({"error": type(error).__name__, "message": str(error)}))
        return 1
    except BrokenPipeError:
        return 1  # the parent is gone
    return 0


def _serve(answer: Answer, request: Request, lines: JsonLineWriter) -> None:
    id_ = request["id"]
    try:
        answered: dict[str, object] = {"id": id_, "result": answer(request)}
    except (LearnerError, RuntimeError) as error:  # torch's, such as out of memory, are RuntimeErrors
        answered = {"id": id_, "error": type(error).__name__, "message": str(error)}
    lines.write(json.dumps(answered))


def _end_with_parent() -> None:
    """End with the parent, by the kernel: a process that loads or computes does not notice the end of stdin. Linux only.

    Otherwise a restarted daemon would run beside the children of the one that was killed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
