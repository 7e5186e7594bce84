"""A half-done switch is seen, and ``retuned sync`` finishes it."""

import errno
import json
import shutil
from pathlib import Path

import pytest

from daemon.cli.doctor.stores import check_stores
from daemon.config.loader import dump
from daemon.domain.json_values import json_value
from daemon.http.probe import DaemonHealth
from daemon.ledger.stores import open_stores
from daemon.views.served import served_view
from registry.directory_target import POINTER
from tests.factories.cli import typed
from tests.factories.daemon import LINE, Line, a_line, line_settings
from tests.unit.cli.screens import fix_time_and_health

UP = DaemonHealth(url="http://127.0.0.1:8080", running=True, ready=True)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def pointer(line: Line) -> dict[str, str]:
    found: dict[str, str] = json.loads((line.settings.state_dir / "target" / POINTER).read_text())
    return found


def words(line: Line, *typed_words: str) -> str:
    answer = typed("--config", str(line.config), *typed_words)
    return " ".join((answer.stdout + answer.stderr).split())


def _full(path: Path, text: str) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


def half_done(line: Line) -> None:
    """A rollback whose switch failed."""
    line.promoted()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("registry.directory_target._replace", _full)
        assert typed("--config", str(line.config), "rollback", "-m", "worse").exit_code == 1


def test_a_rollback_on_a_full_disk_says_what_is_done_and_what_is_not(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = line.promoted()
    monkeypatch.setattr("registry.directory_target._replace", _full)

    answer = typed("--config", str(line.config), "rollback", "-m", "worse")

    assert answer.exit_code == 1
    said = " ".join(answer.stderr.split())
    assert f"entry 3 of the promotion log is written: {LINE}-v0 is live instead of {name}" in said
    assert "No space left on device" in said
    assert "`retuned sync`" in said
    assert pointer(line)["version"] == str(name)


def test_status_and_doctor_name_the_half_done_switch(line: Line) -> None:
    half_done(line)

    said = words(line, "status")
    assert f"The promotion log says that {LINE}-v0 is live, but the target names {LINE}-v1" in said
    assert "`retuned sync`" in said
    (check,) = (check for check in check_stores(line.settings) if not check.ok)
    assert (check.subject, check.remedy) == ("target", "`retuned sync`")


def test_sync_finishes_the_switch_and_changes_nothing_after(line: Line) -> None:
    half_done(line)

    first = json.loads(typed("--config", str(line.config), "sync", "--json").stdout)
    again = typed("--config", str(line.config), "sync", "--json")

    assert (first["live"], first["switched"]) == (f"{LINE}-v0", True)
    assert pointer(line)["version"] == f"{LINE}-v0"
    assert (again.exit_code, json.loads(again.stdout)["switched"]) == (0, False)
    assert "sync" not in words(line, "status")


def test_sync_says_that_the_switch_still_fails(line: Line) -> None:
    half_done(line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("registry.directory_target._replace", _full)
        answer = typed("--config", str(line.config), "sync", "--json")

    assert answer.exit_code == 1
    assert json.loads(answer.stderr)["error"]["kind"] == "NotSwitched"


def test_sync_writes_a_pointer_that_is_gone_or_damaged(line: Line) -> None:
    target = line.settings.state_dir / "target" / POINTER
    for damage in (target.unlink, lambda: target.write_text("{")):
        damage()
        assert "`retuned sync`" in words(line, "status")
        assert typed("--config", str(line.config), "sync").exit_code == 0
        assert pointer(line)["version"] == f"{LINE}-v0"


def test_sync_before_anything_is_live_does_nothing(tmp_path: Path) -> None:
    settings = line_settings(tmp_path)
    open_stores(settings).engine.dispose()
    config = tmp_path / "retuned.yaml"
    config.write_text(dump(settings))

    answer = typed("--config", str(config), "sync", "--json")

    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["live"] is None


def test_a_daemon_that_follows_another_version_is_told_once_it_had_the_time(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = line.stores.versions.newest_promotion(LINE)
    assert entry is not None
    for seconds, told in ((10, False), (60, True)):
        now = entry.at.fromtimestamp(entry.at.timestamp() + seconds, tz=entry.at.tzinfo)
        seen = served_view(line.stores, LINE, daemon=f"{LINE}-v9", now=now)
        assert (seen.problem is not None) is told
        assert json_value(seen)["daemon"] == f"{LINE}-v9"  # type: ignore[index]


def test_status_names_another_lines_daemon(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    other = DaemonHealth(url=UP.url, running=False, other="another daemon (line other)")
    fix_time_and_health(monkeypatch, line.now, other)

    said = words(line, "status")

    assert f"Another daemon (line other) answers at {UP.url}. Set http.port to a free port" in said
    assert f"another daemon (line other) answers at {UP.url}; the next start" in words(line, "sync").replace(
        "Another", "another"
    )


def test_a_moved_state_folder_goes_on_after_a_sync(line: Line, tmp_path: Path) -> None:
    name = line.promoted()
    line.stores.engine.dispose()
    shutil.move(line.settings.state_dir, tmp_path / "moved")
    settings = line.settings.model_copy(update={"state_dir": tmp_path / "moved"})
    line.config.write_text(dump(settings))
    line.settings = settings
    assert "with another folder" in words(line, "status")

    assert typed("--config", str(line.config), "sync").exit_code == 0

    artifact = Path(pointer(line)["artifact"])
    assert artifact.is_relative_to(tmp_path / "moved")
    assert (artifact / "adapter_model.safetensors").exists()
    assert pointer(line)["version"] == str(name)
    assert [check for check in check_stores(settings) if not check.ok] == []
    assert typed("--config", str(line.config), "rollback", "-m", "so").exit_code == 0


def test_an_older_ledger_is_told_by_status_and_accepted_by_sync(line: Line, tmp_path: Path) -> None:
    line.stores.engine.dispose()
    backup = shutil.copy(line.settings.state_dir / "ledger.db", tmp_path / "backup.db")
    line.promoted()
    line.stores.engine.dispose()
    shutil.copy(backup, line.settings.state_dir / "ledger.db")
    assert "older copy of the ledger" in words(line, "status")

    answer = typed("--config", str(line.config), "sync", "--accept-ledger")

    assert answer.exit_code == 0
    assert "older copy" not in words(line, "status")
    assert [check for check in check_stores(line.settings) if not check.ok] == []
