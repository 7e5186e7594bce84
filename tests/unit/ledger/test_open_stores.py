"""Opening the stores: who may create a holdout key."""

from pathlib import Path

import pytest

from daemon.cli.doctor.machine import check_holdout_key
from daemon.cli.doctor.stores import check_stores
from daemon.domain.errors import LedgerError
from daemon.domain.holdout import BadHoldoutKey
from daemon.ledger.bound_facts import LEDGER_ID, bound_facts
from daemon.ledger.stores import open_stores
from tests.factories.cli import typed
from tests.factories.daemon import Line, a_line, line_settings


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def key_of(line: Line) -> Path:
    return line.settings.state_dir / "holdout.key"


@pytest.mark.parametrize("may_create_key", [True, False])
def test_no_second_key_is_made_beside_a_ledger_that_has_one(line: Line, *, may_create_key: bool) -> None:
    key_of(line).unlink()

    with pytest.raises(BadHoldoutKey, match=line.stores.holdout.fingerprint):
        open_stores(line.settings, may_create_key=may_create_key)

    assert not key_of(line).exists()


@pytest.mark.parametrize(
    "words",
    [("status",), ("versions",), ("rollback", "-m", "so"), ("sync",), ("train", "-m", "so")],
)
def test_no_command_makes_a_key(line: Line, words: tuple[str, ...]) -> None:
    key_of(line).unlink()

    answer = typed("--config", str(line.config), *words)

    assert answer.exit_code == 1
    assert "restore the key" in " ".join((answer.stdout + answer.stderr).split())
    assert not key_of(line).exists()


def test_the_doctor_makes_no_key_and_names_the_remedy(line: Line) -> None:
    key_of(line).unlink()

    (ledger,) = check_stores(line.settings)
    key = check_holdout_key(line.settings)

    assert (ledger.ok, key.ok) == (False, False)
    assert line.stores.holdout.fingerprint in ledger.found
    assert "restore the key there" in key.remedy
    assert not key_of(line).exists()


def test_only_a_start_makes_the_key_of_an_empty_ledger(tmp_path: Path) -> None:
    settings = line_settings(tmp_path)
    with pytest.raises(BadHoldoutKey, match="`retuned run`"):
        open_stores(settings, may_create_key=False)
    assert not (settings.state_dir / "holdout.key").exists()

    open_stores(settings).engine.dispose()

    assert (settings.state_dir / "holdout.key").exists()


def test_a_key_file_that_is_missing_leaves_no_ledger(tmp_path: Path) -> None:
    settings = line_settings(tmp_path, holdout={"key_file": str(tmp_path / "nokey")})

    with pytest.raises(BadHoldoutKey):
        open_stores(settings)

    assert not settings.state_dir.exists()


def test_a_ledger_keeps_its_id(line: Line) -> None:
    first = bound_facts(line.stores.engine)[LEDGER_ID]

    again = open_stores(line.settings)

    assert bound_facts(again.engine)[LEDGER_ID] == first
    again.engine.dispose()


def test_another_share_of_held_out_users_is_refused_with_both(line: Line) -> None:
    holdout = line.settings.holdout.model_copy(update={"share": 0.25})

    with pytest.raises(LedgerError, match=r"/0\.1, but the settings now have .*/0\.25; restore"):
        open_stores(line.settings.model_copy(update={"holdout": holdout}))
