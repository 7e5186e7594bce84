"""A ledger moves between SQLite and PostgreSQL: all of it or nothing, the same rows, and the source as it was."""

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import insert, inspect

from daemon.backup.errors import BackupRefused, BadLedgerUrl
from daemon.backup.migrate import MigrationReport, migrate_ledger
from daemon.config.loader import dump
from daemon.config.settings import Settings
from daemon.domain.errors import LedgerError, LedgerUnavailable
from daemon.domain.process_identity import ProcessIdentity
from daemon.ledger.copying import CopyDiffers, CopyProgress
from daemon.ledger.database import connect, open_ledger
from daemon.ledger.lease import Lease
from daemon.ledger.marks import LedgerMarks
from daemon.ledger.portable import fill_tables
from daemon.ledger.stores import ledger_url, open_stores
from daemon.ledger.tables import identity
from tests.contracts.test_backup import in_a_child
from tests.factories.cli import typed
from tests.factories.daemon import LINE, Line, a_line
from tests.factories.ledger import a_batch
from tests.factories.lessons import answered, opinion
from tests.servers.postgres_server import PostgresServer
from tests.support.faults import KILLED, Fault, watched

#: Every command that reads the ledger, as `--json` prints it.
LOOKS = (
    ("status",), ("versions",), ("history",), ("why",), ("show", "v1"), ("lineage", "v1"), ("erasures",), ("drift", "show"),
    ("reference", "show"), ("intake", "show"), ("deadletters", "list"),
)  # fmt: skip
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """A line on SQLite with a past: a version is live, another is trained, a user was erased, an order stands."""
    made = a_line(tmp_path)
    made.promoted()
    made.stores.intake.record(a_batch([answered(made.read, rejected="no"), answered(made.read + 1, "base")]))
    made.stores.intake.record(a_batch([], feedback=[opinion(made.read + 2, "c1", correction="so\u2028 ✓")]))
    made.read += 3
    made.start_run(made.drift())
    types(made.config, "forget", "--conversation", "c3", "-m", "asked to", "--yes")
    types(made.config, "hold", "-m", "holidays")
    made.stores.engine.dispose()
    yield made
    made.stores.engine.dispose()


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database() as made:
        yield made


def types(config: Path, *words: str) -> Any:
    answer = typed("--config", str(config), *words, "--json")
    assert answer.exit_code == 0, answer.stderr
    return answer.document


def migrate(settings: Settings, to: str) -> MigrationReport:
    return migrate_ledger(settings, to, clock=time.monotonic, sleep=lambda _: None, watch=lambda _: None)


def on(url: str, line: Line) -> Settings:
    """The settings that the migration asks for."""
    folder = line.settings.state_dir
    changes = {
        "ledger_url": url,
        "artifacts_url": (folder / "artifacts").as_uri(),
        "holdout": line.settings.holdout.model_copy(update={"key_file": folder / "holdout.key"}),
    }
    return line.settings.model_copy(update=changes)


def looks(config: Path) -> dict[str, Any]:
    return {" ".join(words): types(config, *words) for words in LOOKS}


def digest_of(settings: Settings) -> str:
    return hashlib.sha256((settings.state_dir / "ledger.db").read_bytes()).hexdigest()


def is_empty(url: str) -> bool:
    engine = connect(url)
    try:
        return inspect(engine).get_table_names() == []
    finally:
        engine.dispose()


def test_every_command_answers_the_same_on_postgresql_and_back_on_sqlite(
    line: Line, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.domain.clock.utc_now", lambda: NOW)
    before, file = looks(line.config), digest_of(line.settings)
    there, back = on(url, line), f"sqlite:///{tmp_path / 'back.db'}"

    report = migrate(line.settings, url)

    assert digest_of(line.settings) == file
    line.config.write_text(dump(there), encoding="utf-8")
    assert looks(line.config) == before
    assert {table.name: table.rows for table in report.tables}["conversations"] > 100
    again = migrate(there, back)
    line.config.write_text(dump(there.model_copy(update={"ledger_url": back})), encoding="utf-8")
    assert looks(line.config) == before
    fixed = [table for table in report.tables if table.name != "lease"]
    assert [table for table in again.tables if table.name != "lease"] == fixed


def test_the_line_goes_on_where_it_was(line: Line, url: str) -> None:
    """Offsets, windows, the open run, both logs, and the numbers of new rows."""
    run, offsets = line.stores.runs.running(), line.stores.intake.next_offsets()
    assert run is not None

    migrate(line.settings, url)

    line.settings = on(url, line)
    line.stores = open_stores(line.settings)
    assert line.stores.intake.next_offsets() == offsets
    assert line.stores.runs.running() == run
    name = line.finish_run(run).name
    line.promote(name, line.gate(name))
    line.dead_letter()
    line.add_conversations(30)
    line.drift()
    assert str(line.stores.versions.history(LINE).live) == f"{LINE}-v2"


def test_the_old_ledger_is_known_for_a_copy_once_the_new_one_went_on(line: Line, url: str) -> None:
    migrate(line.settings, url)
    moved = open_stores(on(url, line))
    assert disagreements(moved.marks) == []
    moved.engine.dispose()
    line.settings = on(url, line)
    line.stores = open_stores(line.settings)
    run = line.stores.runs.running()
    assert run is not None
    name = line.finish_run(run).name
    line.promote(name, line.gate(name))
    line.stores.marks.advance()
    line.stores.engine.dispose()

    old = open_stores(line.settings.model_copy(update={"ledger_url": None}))

    assert all("older copy" in problem for problem in disagreements(old.marks))
    assert disagreements(old.marks)
    old.engine.dispose()


def disagreements(marks: LedgerMarks) -> list[str]:
    found = [mark for mark in (marks.of_state_folder(), marks.of_artifact_store()) if mark is not None]
    return [problem for mark in found if (problem := marks.disagreement(mark)) is not None]


def test_a_place_that_has_a_ledger_is_refused(line: Line, url: str, tmp_path: Path) -> None:
    open_ledger(url).dispose()
    taken = tmp_path / "taken.db"
    taken.write_bytes(b"x")

    for to in (url, f"sqlite:///{taken}", str(ledger_url(line.settings))):
        with pytest.raises(BackupRefused, match="is not overwritten"):
            migrate(line.settings, to)

    assert taken.read_bytes() == b"x"


def test_tables_of_others_do_not_matter(line: Line, url: str) -> None:
    engine = connect(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE of_others (id int)")
    engine.dispose()

    assert migrate(line.settings, url).rows > 100


@pytest.mark.parametrize("to", ["mysql://h/d", "sqlite://", "postgres"])
def test_a_url_that_no_ledger_can_have_is_misuse(line: Line, to: str) -> None:
    with pytest.raises(BadLedgerUrl, match="--to"):
        migrate(line.settings, to)


def test_it_is_refused_while_a_daemon_runs(line: Line, url: str) -> None:
    engine = open_ledger(ledger_url(line.settings))
    lease = Lease(engine, ProcessIdentity.this_process(), ttl_s=60, clock=time.monotonic)
    assert lease.acquire_or_renew() is not None

    with pytest.raises(BackupRefused, match="the daemon runs"):
        migrate(line.settings, url)

    assert is_empty(url)
    engine.dispose()


@pytest.mark.parametrize("server", [False, True])
def test_nobody_writes_to_the_source_meanwhile(line: Line, url: str, tmp_path: Path, server: bool) -> None:
    settings, to = line.settings, url
    if server:
        migrate(line.settings, url)
        settings, to = on(url, line), f"sqlite:///{tmp_path / 'back.db'}"
    refused: list[str] = []

    def write(_: CopyProgress) -> None:
        if refused:
            return
        engine = connect(ledger_url(settings))
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("SET lock_timeout = 50" if server else "PRAGMA busy_timeout = 50")
                connection.commit()
                connection.execute(insert(identity).values(name="a", value="b"))
        except LedgerUnavailable as error:
            refused.append(str(error))
        finally:
            engine.dispose()

    migrate_ledger(settings, to, clock=time.monotonic, sleep=lambda _: None, watch=write)

    assert refused


def test_a_copy_that_differs_is_not_kept(line: Line, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def altered(*words: Any, **named: Any) -> None:
        fill_tables(*words, **named)
        words[0].exec_driver_sql("DELETE FROM conversations WHERE seq = 5")

    monkeypatch.setattr("daemon.ledger.copying.fill_tables", altered)

    with pytest.raises(CopyDiffers, match="after the copy"):
        migrate(line.settings, url)

    assert is_empty(url)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_leaves_the_place_empty_or_whole(line: Line, url: str, moment: str) -> None:
    file = digest_of(line.settings)

    def act() -> None:
        with watched(Fault("migrate.server", moment, "killed")):
            migrate(line.settings, url)

    assert in_a_child(act) == KILLED

    assert digest_of(line.settings) == file
    if moment == "before":
        assert is_empty(url)
        migrate(line.settings, url)
    with pytest.raises(BackupRefused, match="already"):
        migrate(line.settings, url)
    open_stores(on(url, line)).engine.dispose()


def test_progress_ends_at_all_rows_twice_and_never_goes_back(line: Line, url: str) -> None:
    seen: list[CopyProgress] = []

    report = migrate_ledger(line.settings, url, clock=time.monotonic, sleep=lambda _: None, watch=seen.append)

    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert {step.phase for step in seen} == {"copying", "comparing"}
    assert seen[-1].done == seen[-1].total == 2 * report.rows


def test_the_command_says_what_the_settings_need(line: Line, url: str) -> None:
    answer = typed("--config", str(line.config), "ledger", "migrate", "--to", url)

    said = " ".join(answer.stdout.split())
    assert answer.exit_code == 0, answer.stderr
    for name in ("ledger_url", "holdout.key_file", "artifacts_url", "target_dir"):
        assert name in said
    assert str(line.settings.state_dir / "holdout.key") in said


def test_a_password_is_never_shown(line: Line) -> None:
    url = "postgresql://retuned:verysecret@127.0.0.1:1/retuned"

    answer = typed("--config", str(line.config), "ledger", "migrate", "--to", url, "--json")

    assert answer.exit_code == 1
    assert "verysecret" not in answer.stdout + answer.stderr
    assert answer.error["kind"] == "LedgerUnavailable"


def test_each_of_several_lines_moves_to_a_schema_of_its_own(tmp_path: Path, url: str) -> None:
    line = a_line(tmp_path, state_dir=tmp_path / "all" / "lines" / LINE)
    line.promoted()
    line.stores.engine.dispose()
    common = yaml.safe_load(dump(line.settings.model_copy(update={"state_dir": tmp_path / "all"})))
    del common["model_line"]
    several = {**common, "lines": {LINE: {}, "sales": {}}}
    line.config.write_text(yaml.safe_dump(several), encoding="utf-8")

    moved = types(line.config, "ledger", "migrate", "--to", url, "--line", LINE)

    assert moved["settings"][0] == {"name": "ledger_url", "value": url, "is_set": False}
    shared = {
        "ledger_url": url,
        "holdout": {**common["holdout"], "key_file": str(line.settings.state_dir / "holdout.key")},
        "artifacts_url": (line.settings.state_dir / "artifacts").as_uri(),
    }
    line.config.write_text(yaml.safe_dump({**several, **shared}), encoding="utf-8")
    [newest, _] = types(line.config, "versions", "--line", LINE)["versions"]
    assert newest["name"] == f"{LINE}-v1"


def test_there_is_nothing_to_move_before_the_first_start(tmp_path: Path, line: Line, url: str) -> None:
    settings = line.settings.model_copy(update={"state_dir": tmp_path / "other"})
    line.config.write_text(dump(settings), encoding="utf-8")

    answer = typed("--config", str(line.config), "ledger", "migrate", "--to", url, "--json")

    assert answer.exit_code == 1
    assert "never started here" in answer.error["message"]
    with pytest.raises(LedgerError):
        migrate(settings, url)
