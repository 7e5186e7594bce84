"""An installation as the runbook describes it, in a folder: settings, state, backups, a shell, and the daemon."""

import json
import os
import shutil
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.e2e.daemon_process import free_port, samples_of
from tests.e2e.runbook.steps import commands, note_typed
from tests.e2e.shell import Shell
from tests.support.helpers import eventually

ROOT = Path(__file__).parents[3]
SYSTEMCTL = Path(__file__).with_name("systemctl")
#: What a tiny model on two busy cores needs, and an operator does not.
TINY: Mapping[str, str] = {
    "RETUNED_MODEL__DEVICE": "cpu",
    "RETUNED_MODEL__THREADS": "2",
    "RETUNED_KAFKA__SESSION_TIMEOUT_MS": "1200",
    "RETUNED_KAFKA__HEARTBEAT_INTERVAL_MS": "400",
    "RETUNED_WINDOWS__REFERENCE_SIZE": "100",
    "RETUNED_WINDOWS__REFERENCE_DAYS": "0",
    "RETUNED_POLICY__ON_DRIFT": "false",
    "RETUNED_POLICY__MIN_NEW_LESSONS": "50",
    "RETUNED_POLICY__MAX_NEW_CONVERSATIONS": "100",
    "RETUNED_LEARNING__RANK": "8",
    "RETUNED_LEARNING__EPOCHS": "1",
    "RETUNED_RELEASE__AUTOMATIC": "false",
}


class Site:
    """What the runbook calls /etc/retuned, /var/lib/retuned, /backups and /srv/retuned lies in one folder."""

    def __init__(self, folder: Path, *, broker: str, model: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._broker = broker
        self._model = model
        self._shell: Shell | None = None

    @property
    def state(self) -> Path:
        """/var/lib/retuned."""
        return self.folder / "state"

    @property
    def shared(self) -> Path:
        """/srv/retuned."""
        return self.folder / "srv"

    def __enter__(self) -> Self:
        for name in ("etc", "backups", "bin"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._program("retuned", f'#!/bin/sh\nexec "{sys.executable}" -m daemon "$@"\n')
        self._program(
            "systemctl", SYSTEMCTL.read_text("utf-8").replace("/usr/bin/env python3", sys.executable)
        )
        self._shell = Shell(self.folder, self._environment())
        self._shell.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        assert self._shell is not None
        self._shell.__exit__(kind, error, trace)
        log = self.folder / "daemon.log"
        sys.stdout.write(log.read_text("utf-8") if log.exists() else "")  # shown where the test failed

    def follows(self, title: str, number: int = 0, *, faults: Collection[str] = ()) -> str:
        """Type the commands of one block of a procedure; return what they printed.

        ``faults`` has the first words of commands that may report a fault, and then exit with another status than 0.
        """
        note_typed(title, number)
        printed = []
        for command in commands(title, number):
            expect = None if command.startswith(tuple(faults)) else 0
            printed.append(self.types(command, expect=expect))
        return "".join(printed)

    def types(self, command: str, *, expect: int | None = 0) -> str:
        """Type a command as the runbook writes it."""
        assert self._shell is not None
        for place, here in self._places().items():
            command = command.replace(place, here)
        return self._shell.type(command, expect=expect)

    def exports(self, **variables: str) -> None:
        """Set variables for all commands from here on, the daemon included."""
        for name, value in variables.items():
            self.types(f"export {name}='{value}'")

    def looks(self, *words: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.types(f"retuned {' '.join(words)} --json"))

    def ready(self) -> bool:
        try:
            self.get("/readyz")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def total(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return sum(sample.value for sample in samples_of(self.get("/metrics")) if sample.name == name)

    def counted(self) -> int:
        return int(self.looks("status")["overview"]["intake"]["conversations"])

    def live(self) -> str:
        pointer = json.loads((self.state / "target" / "live.json").read_text("utf-8"))
        return str(pointer["version"])

    def kill(self) -> None:
        """Kill the daemon, as the end of its machine does."""
        file = self.folder / "daemon.pid"
        if not file.exists():
            return
        daemon = psutil.Process(int(file.read_text()))
        children = daemon.children(recursive=True)
        daemon.send_signal(signal.SIGKILL)
        psutil.wait_procs([daemon, *children], timeout=10)
        file.unlink()

    def await_ready(self) -> None:
        eventually(self.ready, deadline_s=180)

    def _program(self, name: str, text: str) -> None:
        file = self.folder / "bin" / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755)

    def _places(self) -> dict[str, str]:
        """What stands in the runbook, and what it is here."""
        return {
            "/etc/retuned": str(self.folder / "etc"),
            "/var/lib/retuned": str(self.state),
            "/backups": str(self.folder / "backups"),
            "/srv/retuned": str(self.shared),
            "/run/secrets": str(self.folder / "secrets"),
            "/srv/models/base": str(self._model),
            "kafka.internal:9092": self._broker,
            "127.0.0.1:9464": f"127.0.0.1:{self.port}",
        }

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RETUNED_")}
        return {
            **kept, **TINY, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "2", "SITE": str(self.folder), "RETUNED_HTTP__PORT": str(self.port),
            "RETUNED_CONFIG": str(self.folder / "etc" / "retuned.yaml"),
        }  # fmt: skip


def copied(template: Path, folder: Path) -> None:
    """Put an installation at its place as it was left."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
