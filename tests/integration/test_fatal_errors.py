"""`retuned run` that can't start, or ends: one record of the log's own format, an exit status, no traceback."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.factories.daemon import Line, a_line


def write_settings(line: Line, **changes: object) -> None:
    values = yaml.safe_load(line.config.read_text())
    line.config.write_text(yaml.safe_dump({**values, **changes}))


def ledger(line: Line) -> Path:
    line.stores.engine.dispose()
    return line.settings.state_dir / "ledger.db"


def stale_log(line: Line) -> None:
    """A backup is restored beside the write-ahead log of a newer ledger."""
    path = ledger(line)
    shutil.copy(path, path.parent / "backup")
    line.add_conversations(300)
    shutil.copy(f"{path}-wal", path.parent / "stale")
    line.stores.engine.dispose()
    content = bytearray((path.parent / "backup").read_bytes())
    content[8192:16384] = b"\x7f" * 8192
    path.write_bytes(content)
    shutil.copy(path.parent / "stale", f"{path}-wal")


def cut_ledger(line: Line) -> None:
    os.truncate(ledger(line), 6_000)


def no_folder(line: Line) -> None:
    shutil.rmtree(line.settings.state_dir)
    line.settings.state_dir.write_text("a file")


#: What is wrong, and what the record says.
STATES: dict[str, tuple[Callable[[Line], object], str, int]] = {
    "no database": (lambda line: ledger(line).write_bytes(b"no database" * 500), "not a database", 1),
    "cut ledger": (cut_ledger, "restore a backup: `retuned restore FILE --yes`", 1),
    "stale log": (stale_log, "", 1),
    "no model": (lambda _: None, "model", 1),
    "another holdout key": (
        lambda line: (line.settings.state_dir / "holdout.key").write_text("another key of sixteen bytes"),
        "holdout",
        1,
    ),
    "the state folder is a file": (no_folder, "", 1),
    "not a URL": (lambda line: write_settings(line, ledger_url="not a url"), "ledger_url: is not a URL", 2),
    "an unknown setting": (lambda line: write_settings(line, nonsense=1), "there is no such setting", 2),
    "no settings": (lambda line: line.config.unlink(), "no such file", 2),
}  # fmt: skip


def run_daemon(line: Line, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "daemon", "--config", str(line.config), *words, "run"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("state", STATES)
def test_a_daemon_that_can_not_start_says_why_in_one_record(tmp_path: Path, state: str) -> None:
    line = a_line(tmp_path)
    make, said, code = STATES[state]
    line.stores.engine.dispose()
    make(line)
    line.stores.engine.dispose()

    done = run_daemon(line)

    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode == code
    record = json.loads(done.stderr.splitlines()[-1])
    assert record["level"] == "CRITICAL"
    assert said in record["message"]
    assert "exception" not in record


def test_a_port_that_is_taken_is_said_and_the_log_is_text_where_text_is_set(tmp_path: Path) -> None:
    line = a_line(tmp_path)
    model = Path(line.settings.model.base)
    model.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as held:
        write_settings(line, http={"port": held.getsockname()[1]}, logging={"format": "text"})
        done = run_daemon(line)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert " CRITICAL daemon.runtime.fatal: " in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("how", ["--debug", "setting"])
def test_the_traceback_is_a_field_of_the_record_at_debug(tmp_path: Path, how: str) -> None:
    line = a_line(tmp_path)
    if how == "setting":
        write_settings(line, logging={"level": "DEBUG"})

    done = run_daemon(line, *(["--debug"] if how == "--debug" else []))

    record = json.loads(done.stderr.splitlines()[-1])
    assert record["exception"].startswith("Traceback (most recent call last)")
    assert done.returncode == 1
