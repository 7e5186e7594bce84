"""The commands backup and restore: what they ask, and what they say."""

from pathlib import Path

import pytest

from tests.factories.cli import type_to, typed
from tests.factories.daemon import Line, a_line


@pytest.fixture
def line(tmp_path: Path) -> Line:
    made = a_line(tmp_path)
    made.promoted()
    made.stores.engine.dispose()
    return made


def test_a_backup_says_what_it_holds_and_what_it_leaves_out(line: Line, tmp_path: Path) -> None:
    answer = type_to(line, "backup", str(tmp_path / "a.backup"))

    assert answer.exit_code == 0
    assert "Not included: 1 artifacts" in answer.stdout
    assert "keep it where only you can read it" in answer.stdout


def test_a_restore_says_what_it_kept_and_what_to_do(line: Line, tmp_path: Path) -> None:
    type_to(line, "backup", str(tmp_path / "a.backup"), "--artifacts")

    answer = type_to(line, "restore", str(tmp_path / "a.backup"), "--yes")

    assert answer.exit_code == 0
    assert "Kept: " in answer.stdout
    assert "retuned forget" in answer.stdout
    assert type_to(line, "status", "--json").document["overview"]["live"]["version"] == "support-bot-v1"


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_neither_replaces_anything_unasked(line: Line, tmp_path: Path, words: tuple[str, ...]) -> None:
    file = str(tmp_path / "a.backup")
    type_to(line, "backup", file)

    assert type_to(line, "backup", file, *words).exit_code == 3
    assert type_to(line, "restore", file, *words).exit_code == 3
    assert typed("--config", str(line.config), "restore", file, stdin="y\n").exit_code == 0


def test_a_file_that_is_no_backup_is_refused(line: Line, tmp_path: Path) -> None:
    (tmp_path / "a.backup").write_text("hello", encoding="utf-8")

    answer = type_to(line, "restore", str(tmp_path / "a.backup"), "--yes", "--json")

    assert (answer.exit_code, answer.error["kind"]) == (1, "BadBackup")


def test_a_line_that_was_never_started_has_nothing_to_back_up(line: Line, tmp_path: Path) -> None:
    (line.settings.state_dir / "ledger.db").unlink()

    answer = type_to(line, "backup", str(tmp_path / "a.backup"))

    assert answer.exit_code == 1
    assert "there is no ledger at" in answer.stderr
