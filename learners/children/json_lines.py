"""The child's end of the pipe: JSON lines on stdout, which is for them alone."""

import os
import sys
import threading


class JsonLineWriter:
    """Writes lines to what was stdout. From then on whatever else prints goes to stderr."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """One line, at once. Raises BrokenPipeError where nobody reads any more."""
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()
