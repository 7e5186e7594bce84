from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.domain.errors import LedgerLost
from daemon.ledger.stores import open_stores, target_dir
from daemon.runtime.fresh_ledger import refuse_empty_ledger, refuse_lost_file
from tests.factories.daemon import Line, a_line, line_settings

LOST: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "moved": lambda path: path.rename(path.parent / "ledger.old"),
}


@pytest.fixture
def line(tmp_path: Path) -> Line:
    made = a_line(tmp_path)
    made.promoted()
    made.stores.engine.dispose()
    return made


@pytest.mark.parametrize("lose", LOST.values(), ids=LOST.keys())
def test_no_new_ledger_is_begun_where_one_put_a_version_live(
    line: Line, lose: Callable[[Path], object]
) -> None:
    lose(line.settings.state_dir / "ledger.db")

    with pytest.raises(LedgerLost, match=r"names support-bot-v1.* restore a backup: .* \(to begin anew"):
        refuse_lost_file(line.settings)


def test_another_empty_database_is_not_taken_for_the_ledger(line: Line) -> None:
    (line.settings.state_dir / "ledger.db").unlink()
    stores = open_stores(line.settings)

    with pytest.raises(LedgerLost, match="the ledger is new, but"):
        refuse_empty_ledger(line.settings, stores)
    stores.engine.dispose()


def test_the_remedy_begins_anew(line: Line) -> None:
    (line.settings.state_dir / "ledger.db").unlink()
    (target_dir(line.settings) / "live.json").unlink()

    refuse_lost_file(line.settings)


def test_a_ledger_that_is_there_and_a_first_start_are_let_pass(line: Line, tmp_path: Path) -> None:
    refuse_lost_file(line.settings)
    refuse_empty_ledger(line.settings, line.stores)
    refuse_lost_file(line_settings(tmp_path / "other"))
    line.stores.engine.dispose()
