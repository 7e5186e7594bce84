"""A shell in which a test types what a document tells people to type."""

import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pytest


class Shell:
    """One shell, to which the commands are typed."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self._log = folder / "errors.txt"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                ["/bin/bash"], cwd=self._folder, env=self._environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, text=True, encoding="utf-8", start_new_session=True,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait(10)
        for child in children:
            child.kill()
        psutil.wait_procs(children, timeout=10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        sys.stdout.write(self._log.read_text("utf-8"))  # shown where the test failed

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    def type(self, line: str, *, expect: int | None = 0) -> str:
        """Type a line and return what it printed; fail the test if it ended with another status. None: any."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f'{line}\necho "<$?>"\n')
        self.process.stdin.flush()
        printed: list[str] = []
        for answer in self.process.stdout:
            if (ended := re.fullmatch(r"(.*)<(\d+)>\n", answer)) is not None:
                assert expect in (None, int(ended[2])), (
                    f"{line}: {ended[2]}\n{''.join(printed)}\n{self._log.read_text('utf-8')}"
                )
                return "".join([*printed, ended[1]])
            printed.append(answer)
        pytest.fail(f"the shell ended at: {line}")
