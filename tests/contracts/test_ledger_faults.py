"""Which faults of the ledger pass and which last; nothing is committed to a file that is gone."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, make_url, select

from daemon.domain.errors import LedgerLost, LedgerUnavailable, StaleLeader
from daemon.ledger.database import bind_identity, connect, fenced, open_ledger, reader, write
from daemon.ledger.erasures import wipe
from daemon.ledger.ledger_id import LedgerId
from daemon.ledger.tables import LEADER, identity, lease
from tests.servers.postgres_server import PostgresServer, running_postgres


def note(engine: Engine, name: str = "fact", *, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Write a row; something happens before the commit."""
    with write(engine, "test") as connection:
        connection.execute(insert(identity).values(name=name, value="x"))
        meanwhile()


def count(engine: Engine) -> int:
    """Read."""
    with reader(engine).begin() as connection:
        return connection.scalar(select(func.count()).select_from(identity)) or 0


@contextmanager
def opened(path: Path) -> Iterator[Engine]:
    engine = open_ledger(f"sqlite:///{path}")
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Engine]:
    with opened(path) as engine:
        count(engine)
        yield engine


def another_ledger(path: Path) -> None:
    """A whole ledger of another line in the place of this one."""
    other = path.parent / "other.db"
    with opened(other) as engine:
        note(engine)
    other.replace(path)


def another_volume(path: Path) -> None:
    path.parent.rename(path.parent.parent / "volume")
    path.parent.mkdir()


def an_empty_file(path: Path) -> None:
    path.unlink()
    path.touch()


GONE: dict[str, Callable[[Path], object]] = {
    "moved": lambda path: path.rename(path.parent / "ledger.old"),
    "deleted": lambda path: path.unlink(),
    "folder moved": lambda path: path.parent.rename(path.parent.parent / "volume"),
    "folder deleted": lambda path: shutil.rmtree(path.parent),
    "folder replaced": another_volume,
    "replaced": another_ledger,
    "replaced by its copy": lambda path: Path(shutil.copy(path, path.parent / "copy")).replace(path),
    "replaced by an empty file": an_empty_file,
}


@pytest.mark.parametrize("act", [count, note])
@pytest.mark.parametrize("gone", GONE.values(), ids=GONE.keys())
def test_a_file_that_is_gone_is_neither_read_nor_written(
    ledger: Engine, path: Path, gone: Callable[[Path], object], act: Callable[[Engine], object]
) -> None:
    gone(path)

    with pytest.raises(LedgerLost, match="nothing more is written"):
        act(ledger)


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE.keys())
def test_what_was_begun_is_not_committed_to_a_file_that_is_gone(
    ledger: Engine, path: Path, gone: Callable[[Path], object]
) -> None:
    with pytest.raises(LedgerLost):
        note(ledger, meanwhile=lambda: gone(path))


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


@pytest.mark.parametrize("act", [count, note])
@pytest.mark.parametrize(
    "gone", [Path.unlink, lambda log: Path(shutil.copy(log, log.with_name("copy"))).replace(log)]
)
def test_a_log_that_is_gone_is_noticed_by_its_own(
    ledger: Engine, path: Path, gone: Callable[[Path], object], act: Callable[[Engine], object]
) -> None:
    note(ledger, "before")
    gone(log_of(path))

    with pytest.raises(LedgerLost, match=r"-wal, was deleted or replaced .* nothing more is written"):
        act(ledger)


def test_nothing_is_committed_to_a_log_that_is_gone(ledger: Engine, path: Path) -> None:
    note(ledger, "before")
    with pytest.raises(LedgerLost):
        note(ledger, meanwhile=log_of(path).unlink)


def test_a_log_that_was_put_back_is_whole(ledger: Engine, path: Path) -> None:
    note(ledger)
    log_of(path).rename(path.parent / "away")
    with pytest.raises(LedgerLost):
        note(ledger, "other")
    (path.parent / "away").rename(log_of(path))

    assert count(ledger) == 1


def test_a_log_that_came_and_went_with_all_connections_is_none_that_is_gone(
    ledger: Engine, path: Path
) -> None:
    for number in range(3):
        note(ledger, f"fact {number}")
        ledger.dispose()
        assert not log_of(path).exists()
        with opened(path) as other:
            assert count(other) == count(ledger)
    wipe(ledger)  # cuts the log, and leaves it
    assert count(ledger) == 3


def test_a_file_that_was_put_back_is_whole(ledger: Engine, path: Path) -> None:
    note(ledger)
    path.rename(path.parent / "away")
    with pytest.raises(LedgerLost):
        note(ledger, "other")
    (path.parent / "away").rename(path)

    assert count(ledger) == 1


def damaged(write_content: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(write_content(path.read_bytes()))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no database": damaged(lambda _: b"no database at all" * 500),
    "cut": damaged(lambda content: content[: len(content) // 2]),
    "cut in the header": damaged(lambda content: content[:60]),
    "pages overwritten": damaged(lambda content: content[:4096] + b"\x7f" * (len(content) - 4096)),
    "first page overwritten": damaged(lambda content: b"\x00" * 4096 + content[4096:]),
}


def use(path: Path) -> None:
    """Open a ledger, write to it and read it."""
    with opened(path) as engine:
        bind_identity(engine, {"model_line": "chat"})
        count(engine)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_named_with_the_way_out(path: Path, damage: Callable[[Path], object]) -> None:
    with opened(path) as engine:
        note(engine)
    damage(path)

    with pytest.raises(LedgerLost, match=r"damaged: .*`retuned restore FILE --yes`"):
        use(path)


def test_a_stale_log_beside_a_restored_backup_is_damage_or_the_backup(path: Path) -> None:
    """Whichever SQLite makes of it, no error of the driver comes out."""
    with opened(path) as engine:
        shutil.copy(path, path.parent / "backup.db")
        for number in range(300):
            note(engine, f"fact {number}" * 50)
        shutil.copy(f"{path}-wal", path.parent / "stale-wal")
    shutil.copy(path.parent / "backup.db", path)
    shutil.copy(path.parent / "stale-wal", f"{path}-wal")

    with suppress(LedgerLost):
        use(path)


def test_a_file_overwritten_in_place_by_another_ledger_is_noticed(ledger: Engine, path: Path) -> None:
    of_ledger = LedgerId(ledger)
    of_ledger.note_opened()
    of_ledger.check()
    other = path.parent / "other.db"
    with opened(other) as engine:
        LedgerId(engine).note_opened()
    ledger.dispose()
    shutil.copyfile(other, path)

    with pytest.raises(LedgerLost, match="another ledger has taken the place"):
        of_ledger.check()


def test_an_identity_stays_the_same(path: Path) -> None:
    with opened(path) as engine, opened(path) as again:
        first, second = LedgerId(engine), LedgerId(again)
        first.note_opened()
        second.note_opened()

        assert first._opened == second._opened
        assert first._opened is not None


@pytest.mark.parametrize(("stored", "error"), [(7, None), (8, StaleLeader), (6, LedgerLost)])
def test_a_ledger_behind_its_leader_is_an_older_copy(
    ledger: Engine, stored: int, error: type[Exception] | None
) -> None:
    with write(ledger, "test") as connection:
        connection.execute(insert(lease).values(name=LEADER, holder=None, fence=stored, beat=0))

    if error is None:
        note(fenced(ledger, 7))
        return
    with pytest.raises(error):
        note(fenced(ledger, 7))


def test_a_lock_that_another_program_holds_passes(ledger: Engine, path: Path) -> None:
    impatient = connect(f"sqlite:///{path}")
    try:
        with impatient.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=10").close()
            connection.rollback()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="locked; it can be used again"):
            note(impatient)
        other.execute("ROLLBACK")
        other.close()

        note(impatient)
    finally:
        impatient.dispose()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of this module's own, as it is stopped and started."""
    with running_postgres() as running:
        yield running


@pytest.fixture
def shared(server: PostgresServer) -> Iterator[tuple[Engine, str]]:
    with server.database() as url:
        engine = open_ledger(url)
        count(engine)
        yield engine, url
        engine.dispose()


def name_of(url: str) -> str:
    return str(make_url(url).database)


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_server_that_restarts_passes(server: PostgresServer, shared: tuple[Engine, str], how: str) -> None:
    engine, _ = shared
    note(engine)
    server.say("CHECKPOINT")  # this server flushes nothing by itself
    with pytest.raises(LedgerUnavailable):
        note(engine, "half", meanwhile=lambda: server.stop(how))
    with pytest.raises(LedgerUnavailable, match="check that its server runs"):
        count(engine)
    server.start()

    assert count(engine) == 1


@pytest.mark.parametrize("moment", ["idle", "in a transaction"])
def test_a_connection_that_is_cut_passes(
    server: PostgresServer, shared: tuple[Engine, str], moment: str
) -> None:
    engine, _ = shared

    def cut() -> None:
        server.say(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname <> current_database()"
        )

    if moment == "idle":
        cut()
    else:
        with pytest.raises(LedgerUnavailable):
            note(engine, meanwhile=cut)

    assert count(engine) == 0


def test_a_database_that_takes_no_writes_passes(server: PostgresServer, shared: tuple[Engine, str]) -> None:
    engine, url = shared
    database = name_of(url)
    server.say(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    engine.dispose()
    with pytest.raises(LedgerUnavailable, match="read-only"):
        note(engine)
    server.say(f"ALTER DATABASE {database} SET default_transaction_read_only = off")
    engine.dispose()

    note(engine)


def test_a_database_whose_tables_are_gone_is_lost(server: PostgresServer, shared: tuple[Engine, str]) -> None:
    engine, url = shared
    database = name_of(url)
    server.say("DROP TABLE identity CASCADE", database=database)

    with pytest.raises(LedgerLost, match="`retuned restore FILE --yes`"):
        count(engine)


def test_a_server_made_anew_is_another_ledger(server: PostgresServer) -> None:
    with server.database() as url:
        engine = open_ledger(url)
        of_ledger = LedgerId(engine)
        of_ledger.note_opened()
        database = name_of(url)
        server.say(f"DROP DATABASE {database} WITH (FORCE)")
        server.say(f"CREATE DATABASE {database}")
        open_ledger(url).dispose()

        with pytest.raises(LedgerLost):
            of_ledger.check()
        engine.dispose()
