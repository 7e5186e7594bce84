"""A real daemon in a process of its own, for tests."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.support.helpers import eventually


class DaemonProcess:
    """``retuned run`` and the commands that an operator types, on one settings file."""

    def __init__(self, config: Path, *, http_port: int) -> None:
        self._config = config
        self.port = http_port
        self._log = config.parent / "daemon.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        if self._process is None or self._process.poll() is not None:
            self.launch()
        eventually(self.ready, deadline_s=60)
        return self

    def launch(self, *options: str) -> None:
        """Start it without waiting for anything."""
        command = self._command("run", *options)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=_environment())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        sys.stdout.write(self.log())  # shown where the test failed

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self, within_s: float = 20) -> int:
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def retuned(self, *arguments: str, expect: int = 0) -> Any:
        """Run a command with --json and return the document it gave: its answer, or its refusal."""
        done = subprocess.run(
            self._command(*arguments, "--json"),
            capture_output=True,
            text=True,
            timeout=60,
            env=_environment(),
            check=False,
        )
        assert done.returncode == expect, (
            f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()}"
        )
        return json.loads(done.stdout if expect == 0 else done.stderr)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            self.get("/readyz")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def metric(self, series: str) -> float | None:
        """The value of one series, named as in the exposition; ``model_line`` may be left out."""
        [wanted] = samples_of(f"{series} 0\n")
        for sample in samples_of(self.get("/metrics")):
            line = {name: value for name, value in sample.labels.items() if name == "model_line"}
            if (sample.name, sample.labels) == (wanted.name, {**line, **wanted.labels}):
                return sample.value
        return None

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "daemon", "--config", str(self._config), *arguments]


def samples_of(exposition: str) -> list[Sample]:
    return [sample for family in text_string_to_metric_families(exposition) for sample in family.samples]


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONWARNINGS": "default"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
