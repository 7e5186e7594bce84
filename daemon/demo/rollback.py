"""Runs `retuned rollback` as an operator would, and times it."""

import json
import time
from pathlib import Path

from daemon.config.settings import Settings
from daemon.demo.children import spawn
from daemon.demo.errors import OutOfTime
from daemon.demo.evidence import RollbackFact
from daemon.demo.probe import live_in_metrics
from daemon.ledger.stores import Stores, target_dir

_REASON = "demo: showing the way back"
_TIMEOUT_S = 60.0
_METRICS_GRACE_S = 15.0
_EVERY_S = 0.02


def roll_back(stores: Stores, settings: Settings, config: Path, log: Path) -> RollbackFact:
    """Run the command and wait until live.json and the metrics show the new version. Raises OutOfTime."""
    arguments = ["rollback", "-m", _REASON, "--json", "--config", str(config)]
    before = pointer(settings)
    started = time.monotonic()
    child = spawn(["-m", "daemon", *arguments], log, keep_stdout=True)
    seen = _Switches(before=before or "", started=started)
    try:
        while child.poll() is None:
            seen.look(settings)
            if time.monotonic() - started > _TIMEOUT_S:
                raise OutOfTime(f"`retuned rollback` took longer than {_TIMEOUT_S:.0f} s; see {log}")
            time.sleep(_EVERY_S)
        command_s = time.monotonic() - started
        while not seen.complete and time.monotonic() - started < command_s + _METRICS_GRACE_S:
            seen.look(settings)
            time.sleep(_EVERY_S)
        output = child.stdout.read() if child.stdout else ""
    finally:
        child.terminate()
        child.wait()
    live = stores.versions.history(settings.model_line).live
    return RollbackFact(
        command=f"retuned rollback -m '{_REASON}' --json",
        exit_status=child.returncode,
        output=output,
        away_from=before or "",
        live_pointer=pointer(settings),
        live_history=str(live) if live else None,
        live_metrics=live_in_metrics(settings.http.port),
        command_s=command_s,
        pointer_s=seen.pointer_s,
        metrics_s=seen.metrics_s,
    )


def pointer(settings: Settings) -> str | None:
    """Return the version that live.json names; None where there is none."""
    try:
        document = json.loads((target_dir(settings) / "live.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return str(document["version"])


class _Switches:
    """Times when live.json and the metrics first show another version."""

    def __init__(self, *, before: str, started: float) -> None:
        self._before = before
        self._started = started
        self.pointer_s: float | None = None
        self.metrics_s: float | None = None

    @property
    def complete(self) -> bool:
        return self.pointer_s is not None and self.metrics_s is not None

    def look(self, settings: Settings) -> None:
        if self.pointer_s is None and pointer(settings) not in {None, self._before}:
            self.pointer_s = time.monotonic() - self._started
        if self.metrics_s is None and live_in_metrics(settings.http.port) not in {None, self._before}:
            self.metrics_s = time.monotonic() - self._started
