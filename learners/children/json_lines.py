"""Writes JSON lines to stdout, which a child process reserves for them."""

import os
import sys
import threading


class JsonLineWriter:
    """Writes lines to the original stdout, and redirects all other output to stderr."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Write one line at once. Raises BrokenPipeError if nobody reads any more."""
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()
