"""A line that was the only one of its file becomes one of several, as the page about lines says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.config.loader import load_lines
from daemon.config.settings import Settings
from daemon.domain.errors import LedgerLost
from daemon.ledger.stores import open_stores
from daemon.runtime.fresh_ledger import refuse_left_behind
from tests.factories.cli import typed
from tests.factories.lines import begin

NAME = "support-bot"


class Install:
    """A settings file, which is written anew."""

    def __init__(self, folder: Path, database: str) -> None:
        (folder / "key").write_text("0" * 64)
        self.file = folder / "retuned.yaml"
        self.backup = folder / "before.backup"
        self.target = folder / "target"
        self.shared: dict[str, Any] = {
            "state_dir": str(folder / "state"),
            "ledger_url": database,
            "artifacts_url": (folder / "artifacts").as_uri(),
            "holdout": {"key_file": str(folder / "key")},
            "http": {"port": 1},
        }
        self.line = {"model": {"base": "/models/support"}, "target_dir": str(self.target)}

    def alone(self) -> Settings:
        return self._write({"model_line": NAME, **self.line})[NAME]

    def among_several(self) -> dict[str, Settings]:
        return self._write({"lines": {NAME: self.line, "sales": {"model": {"base": "/models/sales"}}}})

    def _write(self, more: dict[str, Any]) -> dict[str, Settings]:
        self.file.write_text(yaml.safe_dump(self.shared | more), encoding="utf-8")
        return load_lines(self.file, {})


@pytest.fixture
def install(tmp_path: Path, database: str) -> Install:
    return Install(tmp_path, database)


def test_a_ledger_that_is_left_behind_is_not_begun_anew(install: Install) -> None:
    alone = install.alone()
    refuse_left_behind(alone)
    begin(alone)

    lines = install.among_several()

    with pytest.raises(LedgerLost, match="had before the settings named lines"):
        refuse_left_behind(lines[NAME])
    refuse_left_behind(lines["sales"])


def test_a_backup_brings_the_line_among_several(install: Install) -> None:
    begin(install.alone())
    assert typed("--config", str(install.file), "backup", str(install.backup)).exit_code == 0
    lines = install.among_several()

    restored = typed("--config", str(install.file), "restore", str(install.backup), "--line", NAME)

    assert restored.exit_code == 0, restored.stderr
    refuse_left_behind(lines[NAME])
    stores = open_stores(lines[NAME])
    live = stores.versions.history(NAME).live
    stores.engine.dispose()
    assert str(live) == f"{NAME}-v0"
    assert (install.target / "live.json").exists()
