"""No command ever ends with a traceback, unless it was asked for."""

import errno
import json
import sqlite3
import sys
from pathlib import Path

import pytest

from daemon.cli import app
from daemon.cli.unexpected import unexpected
from daemon.config import loader
from daemon.domain.errors import LedgerLost
from tests.factories.daemon import a_line

KINDS = [
    RuntimeError("bug"),
    RuntimeError(),
    KeyError("name"),
    ValueError("two\nlines\n  of text"),
    AssertionError(),
    RecursionError("maximum recursion depth exceeded"),
    MemoryError(),
    ImportError("cannot import name 'x' from 'y'"),
    ModuleNotFoundError("No module named 'psycopg'"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    sqlite3.DatabaseError("database disk image is malformed"),
    TypeError("x" * 10_000),
    OSError(errno.ENOSPC, "No space left on device", "/state"),
    PermissionError(errno.EACCES, "Permission denied", "/state"),
    LedgerLost("the ledger is damaged; restore it"),
    ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
]


@pytest.fixture
def config(tmp_path: Path) -> str:
    return str(a_line(tmp_path).config)


def run_main(monkeypatch: pytest.MonkeyPatch, error: Exception, *words: str) -> int:
    """Type a command whose first action fails with this error; return its exit status."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(loader, "load_lines", fail)
    monkeypatch.setattr(sys, "argv", ["retuned", *words])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("command", [("status",), ("doctor",), ("config", "check"), ("why",)])
def test_any_error_is_one_line(
    config: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    command: tuple[str, ...],
) -> None:
    code = run_main(monkeypatch, error, *command, "--config", config)

    written = capsys.readouterr()
    assert code == 1
    assert written.out == ""
    (line,) = written.err.splitlines()
    assert line.startswith("retuned: ")
    assert "Traceback" not in line
    assert len(line) < 1_000


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
def test_any_error_is_json_where_json_was_asked_for(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    code = run_main(monkeypatch, error, "status", "--json", "--config", config)

    failed = json.loads(capsys.readouterr().err)["error"]
    assert code == failed["exit_code"] == 1
    assert failed["kind"] == type(error).__name__
    assert failed["message"]


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("error", [RuntimeError("bug"), LedgerLost("lost")], ids=["bug", "declared"])
def test_the_traceback_is_shown_where_it_was_asked_for(
    config: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    place: str,
) -> None:
    words = ("--debug", "status") if place == "before" else ("status", "--debug")

    run_main(monkeypatch, error, *words, "--config", config)

    written = capsys.readouterr().err
    assert "Traceback (most recent call last)" in written
    assert any(line.startswith("retuned: ") for line in written.splitlines())


def test_a_bug_says_how_to_report_it_and_a_broken_installation_how_to_mend_it() -> None:
    assert "--debug" in unexpected(RuntimeError("x")).message
    assert "install retuned again" in unexpected(ModuleNotFoundError("x")).message
    assert "memory" in unexpected(MemoryError()).message


def test_no_password_of_a_url_is_printed() -> None:
    message = unexpected(ValueError("can't open postgresql://ada:hunter2@db/x")).message

    assert "hunter2" not in message
    assert "ada:***@db" in message
