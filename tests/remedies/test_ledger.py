"""A ledger that is damaged, gone, older, another's or locked: what is printed names what brings it back."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from daemon.cli.doctor.stores import check_stores
from daemon.config.loader import dump
from daemon.domain.errors import LedgerError
from daemon.ledger import database
from daemon.ledger.database import connect
from daemon.ledger.erasures import Subject
from daemon.ledger.reports import ReportLedger
from daemon.ledger.snapshot import snapshot
from daemon.ledger.stores import ledger_url
from daemon.ledger.tables import erasures
from registry.tables import promotions
from tests.factories.cli import typed
from tests.factories.daemon import LINE, Line, line_settings
from tests.remedies.cases import mends
from tests.remedies.operator import Operator

RESTORE = "retuned restore FILE --yes"
#: More than the pages that a command reads to open the ledger.
_ROWS = 500


def ledger_file(line: Line) -> Path:
    return line.settings.state_dir / "ledger.db"


@pytest.fixture
def backup(operator: Operator, tmp_path: Path) -> str:
    """A backup of a line with a version that is live."""
    operator.line.promoted()
    operator.line.add_conversations(_ROWS)
    file = str(tmp_path / "a.backup")
    assert operator.types("backup", file, "--artifacts").exit_code == 0
    operator.line.stores.engine.dispose()  # the last connection's end moves everything into the one file
    return file


def no_database(line: Line) -> None:
    ledger_file(line).write_bytes(b"no database at all" * 100)


def cut(line: Line) -> None:
    content = ledger_file(line).read_bytes()
    ledger_file(line).write_bytes(content[: len(content) // 2])


def damaged_pages(line: Line) -> None:
    content = bytearray(ledger_file(line).read_bytes())
    content[-30 * 4096 :] = b"\x7f" * (30 * 4096)
    ledger_file(line).write_bytes(content)


def gone(line: Line) -> None:
    ledger_file(line).unlink()


def altered_log(line: Line) -> None:
    with line.stores.engine.begin() as connection:
        first = connection.scalars(promotions.select().with_only_columns(promotions.c.document)).first()
        altered = {**(first or {}), "reason": "nobody will notice"}
        connection.execute(update(promotions).where(promotions.c.position == 1).values(document=altered))
    line.stores.engine.dispose()


def altered_erasures(line: Line) -> None:
    line.stores.erasures.erase(
        Subject(kind="user", id="u", hash="hash of u"), by="ada", why="asked to", now=line.clock()
    )
    with line.stores.engine.begin() as connection:
        connection.execute(update(erasures).values(by="nobody"))
    line.stores.engine.dispose()


@mends(RESTORE, "daemon/cli/doctor/stores.py", "daemon/ledger/faults.py", "daemon/runtime/fresh_ledger.py")
@mends(RESTORE, "registry/history.py", "daemon/ledger/erasures.py", "daemon/ledger/snapshot.py")
@pytest.mark.parametrize(
    ("damage", "where"),
    [
        (no_database, ("status",)), (no_database, ("doctor",)), (cut, ("status",)), (cut, ("doctor",)),
        (damaged_pages, ("doctor",)), (damaged_pages, ("backup", "another.backup")),
        (gone, ("status",)), (gone, ("doctor",)),
        (altered_log, ("doctor",)), (altered_log, ("history",)), (altered_erasures, ("erasures",)),
    ],
)  # fmt: skip
def test_a_damaged_ledger_is_restored(
    operator: Operator,
    backup: str,
    damage: Callable[[Line], None],
    where: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    damage(operator.line)
    printed = operator.reads(*where)

    operator.follows(printed, RESTORE, FILE=backup)

    assert f"{LINE}-v1" in operator.status()
    assert [check for check in check_stores(operator.line.settings) if not check.ok] == []


@mends("retuned doctor", "daemon/ledger/snapshot.py")
def test_a_ledger_that_can_not_be_backed_up_is_examined_by_the_doctor(
    operator: Operator, backup: str, tmp_path: Path
) -> None:
    no_database(operator.line)
    with pytest.raises(LedgerError) as refused, snapshot(ledger_url(operator.line.settings), folder=tmp_path):
        pass
    assert "`retuned doctor`" in str(refused.value) or "retuned restore" in str(refused.value)

    operator.follows(operator.reads("doctor"), RESTORE, FILE=backup)

    assert operator.types("backup", str(tmp_path / "b.backup")).exit_code == 0


@mends("retuned sync --accept-ledger", "daemon/release/bound.py")
@pytest.mark.parametrize("where", [("status",), ("doctor",)])
@pytest.mark.parametrize("other", ["an older copy", "another line's"])
def test_another_ledger_is_accepted_by_name_only(
    operator: Operator, where: tuple[str, ...], other: str, tmp_path: Path
) -> None:
    line = operator.line
    line.stores.engine.dispose()
    older = shutil.copy(ledger_file(line), tmp_path / "older.db")
    line.promoted()
    line.stores.engine.dispose()
    shutil.copy(older, ledger_file(line))
    if other != "an older copy":
        with sqlite3.connect(ledger_file(line)) as connection:
            connection.execute("UPDATE identity SET value = 'another' WHERE name = 'ledger'")
        connection.close()
    printed = operator.reads(*where)
    assert ("older copy" if other == "an older copy" else "was left by ledger") in printed

    operator.follows(printed, "retuned sync --accept-ledger")

    assert "accept-ledger" not in operator.reads(*where)


@mends("it can be used again once the other program is done", "daemon/ledger/faults.py")
def test_a_locked_ledger_is_used_again_once_it_is_let_go(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.ledger.database._SQLITE_WAITS_S", 0.1)
    holder = sqlite3.connect(ledger_file(operator.line), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    printed = operator.reads("hold", "-m", "the fair")
    assert "once the other program is done" in printed

    holder.rollback()
    holder.close()
    assert operator.types("hold", "-m", "the fair").exit_code == 0


@mends("nothing is lost; free some space", "daemon/ledger/faults.py")
def test_a_full_disk_under_the_ledger_says_so_and_nothing_is_lost(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = "daemon.ledger.database._write_ahead"
    write_ahead = database._write_ahead

    def full(connection: sqlite3.Connection) -> None:
        write_ahead(connection)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}").close()

    before = operator.line.stores.versions.orders(LINE).number
    operator.line.stores.engine.dispose()
    with monkeypatch.context() as patch:
        patch.setattr(prepare, full)
        printed = operator.reads("hold", "-m", "the fair " * 10_000)
    assert "nothing is lost; free some space" in printed
    assert operator.line.stores.versions.orders(LINE).number == before

    assert operator.types("hold", "-m", "the fair").exit_code == 0


@mends("retuned run", "daemon/cli/session.py", "daemon/ledger/snapshot.py", "daemon/ledger/stores.py")
def test_a_line_that_was_never_started_is_started(tmp_path: Path) -> None:
    """The start itself is tried in tests/e2e; here, that the message leads to it."""
    config = tmp_path / "retuned.yaml"
    config.write_text(dump(line_settings(tmp_path)))

    answer = typed("--config", str(config), "status")

    assert answer.exit_code == 1
    assert "`retuned run`" in answer.stderr


@mends("retuned doctor", "daemon/ledger/reports.py", "daemon/cli/session.py", "daemon/ledger/restoring.py")
def test_a_ledger_that_can_not_be_read_is_examined_by_the_doctor(operator: Operator, backup: str) -> None:
    engine = connect(f"sqlite:///{ledger_file(operator.line)}")
    no_database(operator.line)
    with pytest.raises(LedgerError, match="`retuned doctor`"):
        ReportLedger(engine).newest_first()
    engine.dispose()

    operator.follows(operator.reads("doctor"), RESTORE, FILE=backup)

    assert operator.types("drift", "report", "--output", f"{backup}.html").exit_code == 0
