"""Compares what a command prints at 80 columns with a picture of text under ``screens/``.

To renew the pictures after a change of the screens, run the tests with ``RETUNED_TEST_RENEW_SCREENS=1``: each test whose
pictures differ writes them anew and fails saying "renewed". Read the difference in git before you commit it.
"""

import os
from datetime import datetime
from pathlib import Path

import pytest
from rich.cells import cell_len

from daemon.http.probe import DaemonHealth
from tests.factories.cli import typed
from tests.factories.daemon import Line

WIDTH = 80
_FOLDER = Path(__file__).parent / "screens"
_RENEW = "RETUNED_TEST_RENEW_SCREENS"
_renewed: list[str] = []


def fix_time_and_health(
    monkeypatch: pytest.MonkeyPatch, now: datetime, health: DaemonHealth | None = None
) -> None:
    """Fix the time, and what a daemon answers."""
    monkeypatch.setattr("daemon.domain.clock.utc_now", lambda: now)
    if health is not None:
        monkeypatch.setattr("daemon.http.probe.probe", lambda _, **__: health)


def printed(line: Line, *words: str) -> str:
    """What a command prints at 80 columns; an error instead, which is one line and which the terminal wraps."""
    answer = typed("--config", str(line.config), *words, environ={"COLUMNS": str(WIDTH)})
    too_wide = [row for row in answer.stdout.splitlines() if cell_len(row.rstrip()) > WIDTH]
    assert not too_wide
    return answer.stdout + answer.stderr


def assert_picture(name: str, text: str) -> None:
    """Compare a screen with its picture; write the picture where they differ and RETUNED_TEST_RENEW_SCREENS is set."""
    shown = "".join(f"{row.rstrip()}\n" for row in text.splitlines())
    file = _FOLDER / f"{name}.txt"
    known = file.read_text("utf-8") if file.exists() else None
    if shown != known and os.environ.get(_RENEW):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, "utf-8")
        _renewed.append(file.name)
        return
    assert shown == known, f"{file.name} differs; if it should, run the test with {_RENEW}=1"


def fail_if_renewed() -> None:
    """Fail the test that has just renewed pictures, so that nobody takes it for a passed one."""
    names = ", ".join(_renewed)
    _renewed.clear()
    if names:
        pytest.fail(f"renewed {names}")
