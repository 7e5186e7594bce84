"""Paths and URLs may have any characters, and what is made there is its owner's alone."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from daemon.cli.doctor.machine import check_privacy
from daemon.cli.doctor.model import check_model
from daemon.config.loader import dump, load
from daemon.config.settings import Settings
from daemon.ledger.database import open_ledger, size_bytes, sqlite_file
from daemon.ledger.stores import ledger_url, open_stores
from learners.models.base import resolve_base
from tests.factories.cli import type_to
from tests.factories.daemon import Line, a_line, line_settings
from tests.unit.cli.test_doctor import a_model

ODD = (
    "a b",
    "100%",
    "a%20b",
    "a#b",
    "a?b=c",
    "a::b",
    "中文",
    "a&b;c",
    "a'b\"c",
    "a[b]*c",
    "a@b:c",
    "{a}",
    "é",
    "~a",
)


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with an odd name, not made yet."""
    return tmp_path / str(request.param)


@pytest.fixture
def umask() -> Iterator[None]:
    """The umask of most systems."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def works(line: Line) -> None:
    """Operators can look at a line, and change what is live."""
    name = line.promoted()
    artifact = line.stores.versions.version(name).artifact
    assert artifact is not None
    line.stores.artifacts.verify(artifact, line.stores.versions.version(name).digest)
    assert line.stores.artifacts.size_bytes() > 0
    assert type_to(line, "status", "--json").document["overview"]["live"]["version"] == str(name)
    assert type_to(line, "config", "check").exit_code == 0
    assert type_to(line, "rollback", "-m", "x").exit_code == 0
    line.stores.engine.dispose()


def test_the_state_may_be_anywhere(odd: Path) -> None:
    odd.mkdir()

    line = a_line(odd)

    works(line)
    state = line.settings.state_dir
    assert {"ledger.db", "holdout.key", "artifacts", "target"} <= {entry.name for entry in state.iterdir()}
    assert size_bytes(ledger_url(line.settings)) > 0


def test_artifacts_may_be_anywhere(odd: Path, tmp_path: Path) -> None:
    works(a_line(tmp_path, artifacts_url=f"file://{odd}"))

    assert any(odd.rglob("adapter_model.safetensors"))


def test_artifacts_may_be_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    works(a_line(tmp_path, artifacts_url="file://~/artifacts"))

    assert any((tmp_path / "home" / "artifacts").rglob("adapter_model.safetensors"))


def test_the_target_may_be_anywhere(odd: Path, tmp_path: Path) -> None:
    works(a_line(tmp_path, target_dir=odd))

    assert json.loads((odd / "live.json").read_text("utf-8"))["version"] == "support-bot-v0"


def test_a_ledger_of_its_own_may_be_anywhere(odd: Path, tmp_path: Path) -> None:
    works(a_line(tmp_path, ledger_url=f"sqlite:///{quote(str(odd))}/my%20ledger.db"))

    assert (odd / "my ledger.db").exists()


def test_the_base_model_may_be_anywhere(odd: Path, tmp_path: Path) -> None:
    a_model(odd)
    settings = line_settings(tmp_path, model={"base": str(odd)})

    assert resolve_base(settings.model.base) == odd.resolve()
    assert check_model(settings).ok


def test_odd_paths_are_written_and_read_back(odd: Path, tmp_path: Path) -> None:
    settings = line_settings(tmp_path, state_dir=odd, target_dir=odd, artifacts_url=f"file://{odd}")
    path = tmp_path / "retuned.yaml"
    path.write_text(dump(settings), encoding="utf-8")

    assert load(path, {}) == settings


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_what_the_daemon_makes_is_its_owners_alone(tmp_path: Path) -> None:
    line = a_line(tmp_path)
    state = line.settings.state_dir
    ledger_files = sorted(state.glob("ledger.db*"))

    assert mode(state) == 0o700
    assert len(ledger_files) == 3  # with its log and its index
    assert {mode(file) for file in (*ledger_files, state / "holdout.key")} == {0o600}
    assert all(check.ok for check in check_privacy(line.settings))


@pytest.mark.usefixtures("umask")
def test_a_ledger_elsewhere_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "my.db"

    open_ledger(f"sqlite:///{file}").dispose()

    assert (mode(file), mode(file.parent)) == (0o600, 0o700)


def test_what_an_operator_opened_to_others_stays_so_and_doctor_says_it(tmp_path: Path) -> None:
    settings = line_settings(tmp_path)
    settings.state_dir.mkdir()
    settings.state_dir.chmod(0o755)
    open_stores(settings).engine.dispose()
    ledger = sqlite_file(ledger_url(settings))
    assert ledger is not None
    ledger.chmod(0o640)

    open_stores(settings).engine.dispose()

    folder, file = check_privacy(settings)
    assert (mode(settings.state_dir), mode(ledger)) == (0o755, 0o640)
    assert (folder.ok, folder.remedy) == (False, f"chmod 700 {settings.state_dir}")
    assert (file.ok, file.remedy) == (False, f"chmod 600 {ledger}")
    assert "mode 640" in file.found


def test_a_folder_that_others_may_pass_through_is_private(tmp_path: Path) -> None:
    """So a server of another user reaches the target, and lists nothing."""
    settings = line_settings(tmp_path)
    settings.state_dir.mkdir()
    settings.state_dir.chmod(0o711)

    (folder,) = check_privacy(settings)

    assert folder.ok


@pytest.mark.parametrize("url", ["postgresql://db/x", "sqlite://", "sqlite:///:memory:"])
def test_a_ledger_without_a_file_has_none(url: str) -> None:
    assert sqlite_file(url) is None
    assert size_bytes(url) == 0


@pytest.mark.parametrize(
    ("written", "file"),
    [
        ("/data/a%20b.db", "/data/a b.db"),
        ("/data/a b#%.db", "/data/a b#%.db"),
        ("/数据/%3F.db", "/数据/?.db"),
    ],
)
def test_a_ledger_url_needs_no_escapes_but_for_what_ends_its_path(written: str, file: str) -> None:
    settings = Settings.model_validate({"model": {"base": "b"}, "ledger_url": f"sqlite:///{written}"})

    assert sqlite_file(ledger_url(settings)) == Path(file)
