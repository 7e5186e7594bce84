"""What a restore leaves to be done: each command that it names does it."""

import shutil
from pathlib import Path

import pytest

from daemon.domain.holdout import Holdout
from daemon.ledger.stores import target_dir
from tests.factories.daemon import LINE
from tests.remedies.cases import mends
from tests.remedies.operator import Operator

BACKUP = "daemon/cli/backup.py"


@mends("retuned doctor", BACKUP)
@mends("retuned sync", BACKUP)
def test_an_artifact_that_the_backup_left_out_is_put_back(operator: Operator, tmp_path: Path) -> None:
    line, file = operator.line, str(tmp_path / "a.backup")
    line.promoted()
    operator.types("backup", file)
    line.stores.engine.dispose()
    artifacts = line.settings.state_dir / "artifacts"
    artifacts.rename(tmp_path / "copy")
    shutil.rmtree(target_dir(line.settings))
    printed = operator.reads("restore", file, "--yes")
    assert "The live version's artifact is missing" in printed
    assert "`retuned doctor` checks those in use" in printed
    assert f"artifact of {LINE}-v1" in operator.reads("doctor")

    shutil.copytree(tmp_path / "copy", artifacts, dirs_exist_ok=True)
    operator.follows(printed, "retuned sync")

    assert "Restore them from a backup" not in operator.status()
    assert "`retuned sync`" not in operator.status()


@mends("retuned forget", BACKUP)
def test_what_was_erased_after_a_backup_is_erased_again(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Holdout, "conversation_hash", lambda _, name: f"hash of {name}")
    line, file = operator.line, str(tmp_path / "a.backup")
    erase = ("forget", "--conversation", "c7", "-m", "asked to")
    operator.types("backup", file)
    assert "1 conversation" in operator.types(*erase).stdout
    line.stores.engine.dispose()

    assert "Erase again what was erased since then with `retuned forget`" in operator.reads(
        "restore", file, "--yes"
    )

    assert "1 conversation" in operator.types(*erase).stdout
