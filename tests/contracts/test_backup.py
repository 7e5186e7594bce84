"""Backup and restore, on SQLite and on PostgreSQL: live, consistent, checked before use, whole after a kill."""

import os
import shutil
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select

from daemon.backup.artifacts import restore_artifacts
from daemon.backup.create import BackupReport, create_backup
from daemon.backup.errors import BackupRefused, BadBackup
from daemon.backup.restore import RestoreReport, restore_backup
from daemon.config.settings import Settings
from daemon.domain.conversation import Message
from daemon.domain.errors import LedgerError
from daemon.domain.holdout import BadHoldoutKey
from daemon.domain.process_identity import ProcessIdentity
from daemon.ledger.database import open_ledger, reader
from daemon.ledger.lease import Lease
from daemon.ledger.restoring import LedgerInUse
from daemon.ledger.snapshot import LedgerSnapshot
from daemon.ledger.stores import ledger_url, open_stores
from daemon.release.promotion import roll_back_version
from daemon.release.register import DAEMON
from tests.factories.daemon import LINE, Line, a_line
from tests.factories.ledger import TOPIC, a_batch
from tests.factories.lessons import answered, opinion
from tests.servers.postgres_server import PostgresServer
from tests.support.faults import KILLED, Fault, watched

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture(params=["sqlite", "postgresql"])
def changes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, object]]:
    """Settings of the ledger."""
    if request.param == "sqlite":
        yield {}
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    with postgres.database() as url:
        yield on_a_server(url, tmp_path)


def on_a_server(url: str, folder: Path) -> dict[str, object]:
    key = folder / "shared.key"
    key.write_bytes(KEY)
    artifacts = (folder / "state" / "artifacts").as_uri()
    return {"ledger_url": url, "holdout": {"key_file": key}, "artifacts_url": artifacts}


@pytest.fixture
def line(changes: dict[str, object], tmp_path: Path) -> Iterator[Line]:
    made = a_line(tmp_path, **changes)
    made.promoted()
    yield made
    made.stores.engine.dispose()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Line]:
    """A line on SQLite, for what does not depend on the database."""
    made = a_line(tmp_path)
    made.promoted()
    yield made
    made.stores.engine.dispose()


def back_up(line: Line, file: Path, *, artifacts: bool = False, replace: bool = False) -> BackupReport:
    return create_backup(line.settings, file, with_artifacts=artifacts, replace=replace, now=NOW)


def restore(settings: Settings, file: Path, *, replace: bool = False) -> RestoreReport:
    return restore_backup(
        settings, file, replace=replace, now=NOW, clock=time.monotonic, sleep=lambda _: None
    )


def rows(settings: Settings) -> dict[str, Any]:
    """All that the ledger holds, but for the lease."""
    stores = open_stores(settings)
    tables = MetaData()
    tables.reflect(stores.engine)
    try:
        with reader(stores.engine).connect() as connection:
            return {
                table.name: sorted(map(repr, connection.execute(select(table)).all()))
                for table in tables.sorted_tables
                if table.name != "lease"
            }
    finally:
        stores.engine.dispose()


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def assert_nothing_disagrees(settings: Settings) -> None:
    """No mark of a newer ledger keeps the daemon from starting."""
    stores = open_stores(settings)
    marks = stores.marks
    found = [mark for mark in (marks.of_state_folder(), marks.of_artifact_store()) if mark is not None]
    assert [problem for mark in found if (problem := marks.disagreement(mark)) is not None] == []
    stores.engine.dispose()


def test_an_older_ledger_is_accepted_where_a_newer_one_was(line: Line, tmp_path: Path) -> None:
    back_up(line, tmp_path / "a.backup", artifacts=True)
    roll_back_version(line.stores, model_line=LINE, to=None, reason="so", by=DAEMON, clock=line.clock)
    line.stores.engine.dispose()

    report = restore(line.settings, tmp_path / "a.backup", replace=True)

    assert report.live == f"{LINE}-v1"
    assert_nothing_disagrees(line.settings)


def forget_everything(line: Line) -> None:
    """A machine on which the state folder was lost."""
    line.stores.engine.dispose()
    shutil.rmtree(line.settings.state_dir)


def test_what_was_backed_up_comes_back_row_by_row(line: Line, tmp_path: Path) -> None:
    before, file = rows(line.settings), tmp_path / "a.backup"
    report = back_up(line, file, artifacts=True)
    pointer = (line.settings.state_dir / "target" / "live.json").read_text("utf-8")
    line.add_conversations(40)
    line.stores.engine.dispose()
    later = rows(line.settings)

    restored = restore(line.settings, file, replace=True)

    assert rows(line.settings) == before != later
    assert report.rows == restored.rows > 100
    assert [entry.version for entry in report.artifacts] == [f"{LINE}-v1"]
    assert (line.settings.state_dir / "target" / "live.json").read_text("utf-8") == pointer
    assert restored.kept
    stores = open_stores(line.settings)
    assert str(stores.versions.history(LINE).live) == f"{LINE}-v1"
    stores.engine.dispose()


def test_corrections_and_rejected_answers_come_back(line: Line, tmp_path: Path) -> None:
    """Their columns hold JSON, which the two databases write each in its own form."""
    last = line.stores.conversations.last_seq()
    offset = line.stores.intake.next_offsets()[TOPIC, 0]
    said = [answered(offset, rejected="no"), answered(offset + 1, "base")]
    late = [opinion(offset + 2, f"c{offset + 1}", correction="rather so")]
    line.stores.intake.record(a_batch(said, feedback=late))
    before = line.stores.conversations.after(last, 9)
    back_up(line, tmp_path / "a.backup")
    line.stores.engine.dispose()

    restore(line.settings, tmp_path / "a.backup", replace=True)

    line.stores = open_stores(line.settings)
    paired, corrected = line.stores.conversations.after(last, 9)
    assert [paired, corrected] == before
    assert (paired.rejected, corrected.correction) == (Message(role="assistant", content="no"), "rather so")


def test_the_daemon_goes_on_writing_after_a_restore(line: Line, tmp_path: Path) -> None:
    """New rows get numbers of their own, also where the database counts by itself."""
    back_up(line, tmp_path / "a.backup")
    line.stores.engine.dispose()
    restore(line.settings, tmp_path / "a.backup", replace=True)

    line.stores = open_stores(line.settings)
    line.dead_letter()
    line.add_conversations(30)
    decision = line.drift()

    assert decision.id is not None


def test_the_state_folder_is_lost_and_comes_back(line: Line, tmp_path: Path) -> None:
    before = rows(line.settings)
    back_up(line, tmp_path / "a.backup", artifacts=True)
    on_server = line.settings.ledger_url is not None
    forget_everything(line)

    report = restore(line.settings, tmp_path / "a.backup", replace=on_server)

    assert rows(line.settings) == before
    assert report.artifacts == 1
    assert report.needed == ()
    stores = open_stores(line.settings)
    version = next(iter(stores.versions.versions(LINE, newest=1)))
    stores.artifacts.verify(version.artifact or "", version.digest)
    stores.engine.dispose()


def test_a_lost_artifact_store_is_filled_again_while_the_daemon_runs(local: Line, tmp_path: Path) -> None:
    """The ledger, and what operators did since the backup, stay as they are."""
    back_up(local, tmp_path / "a.backup", artifacts=True)
    shutil.rmtree(local.settings.state_dir / "artifacts")
    local.add_conversations(30)
    lease = Lease(local.stores.engine, ProcessIdentity.this_process(), ttl_s=60, clock=time.monotonic)
    assert lease.acquire_or_renew() is not None
    before = rows(local.settings)

    report = restore_artifacts(local.settings, tmp_path / "a.backup")

    assert report.versions == (f"{LINE}-v1",)
    assert rows(local.settings) == before
    [version] = local.stores.versions.versions(LINE, newest=1)
    local.stores.artifacts.verify(version.artifact or "", version.digest)
    restore_artifacts(local.settings, tmp_path / "a.backup")  # it changes nothing


@pytest.mark.parametrize("other", [{"model_line": "other"}, {}])
def test_artifacts_of_another_line_or_of_none_are_refused(
    local: Line, tmp_path: Path, other: dict[str, object]
) -> None:
    back_up(local, tmp_path / "a.backup", artifacts=bool(other))

    with pytest.raises(BackupRefused, match=r"of the model line|--artifacts"):
        restore_artifacts(local.settings.model_copy(update=other), tmp_path / "a.backup")


def test_a_backup_is_private_and_names_what_it_leaves_out(local: Line, tmp_path: Path) -> None:
    report = back_up(local, tmp_path / "a.backup")

    assert stat.S_IMODE((tmp_path / "a.backup").stat().st_mode) == 0o600
    [left_out] = report.artifacts
    assert not left_out.included
    assert len(left_out.digest) == 64
    assert [name for name in files(tmp_path) if "partial" in name] == []
    assert not (local.settings.state_dir / "backup").exists()


def test_a_backup_holds_one_moment_while_others_write(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Conversations that come while the tables are read are in no table of the backup."""
    before, written = rows(line.settings), []
    read = LedgerSnapshot.tables

    def interrupted(ledger: LedgerSnapshot) -> Iterator[tuple[str, Iterator[bytes]]]:
        for name, lines in read(ledger):
            line.add_conversations(10)
            written.append(name)
            yield name, lines

    monkeypatch.setattr(LedgerSnapshot, "tables", interrupted)
    back_up(line, tmp_path / "a.backup")

    assert written
    line.stores.engine.dispose()
    restore(line.settings, tmp_path / "a.backup", replace=True)
    assert rows(line.settings) == before


def test_nothing_is_replaced_unasked(line: Line, tmp_path: Path) -> None:
    back_up(line, tmp_path / "a.backup")
    content = (tmp_path / "a.backup").read_bytes()

    with pytest.raises(BackupRefused, match="--yes"):
        back_up(line, tmp_path / "a.backup")
    with pytest.raises(BackupRefused, match="--yes"):
        restore(line.settings, tmp_path / "a.backup")

    assert (tmp_path / "a.backup").read_bytes() == content


def test_a_restore_is_refused_while_a_daemon_runs(line: Line, tmp_path: Path) -> None:
    back_up(line, tmp_path / "a.backup")
    lease = Lease(line.stores.engine, ProcessIdentity.this_process(), ttl_s=60, clock=time.monotonic)
    assert lease.acquire_or_renew() is not None

    with pytest.raises(BackupRefused, match="the daemon runs"):
        restore(line.settings, tmp_path / "a.backup", replace=True)


def test_a_daemon_that_cannot_be_seen_from_here_shows_that_it_lives_by_its_lease(
    line: Line, tmp_path: Path
) -> None:
    back_up(line, tmp_path / "a.backup")
    elsewhere = ProcessIdentity(host="other", machine="other", pid=1, started=1.0)
    lease = Lease(line.stores.engine, elsewhere, ttl_s=3, clock=(times := iter(range(1000))).__next__)
    assert lease.acquire_or_renew() is not None

    def attempt(sleep: Callable[[float], object]) -> None:
        clock = iter(range(1_000)).__next__
        restore_backup(
            line.settings, tmp_path / "a.backup", replace=True, now=NOW, clock=clock, sleep=lambda s: (sleep(s), None)[1]
        )  # fmt: skip

    def live(_: float) -> None:
        next(times)
        lease.acquire_or_renew()

    with pytest.raises(BackupRefused, match="process 1 on other"):
        attempt(live)
    line.stores.engine.dispose()
    attempt(lambda _: None)  # it never renews: it has ended


@pytest.mark.parametrize("damage", ["cut", "altered", "not a zip", "added", "removed"])
def test_a_damaged_backup_is_refused_before_anything_is_written(
    local: Line, tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "a.backup"
    back_up(local, file, artifacts=True)
    before, there = rows(local.settings), files(local.settings.state_dir)
    local.stores.engine.dispose()
    DAMAGES[damage](file)

    with pytest.raises(BadBackup, match="use another"):
        restore(local.settings, file, replace=True)

    assert rows(local.settings) == before
    assert files(local.settings.state_dir) - {"backup.lock", "ledger.db-wal", "ledger.db-shm"} <= there


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2_000])


def alter(file: Path) -> None:
    rewritten(
        file, lambda name, content: content.replace(b"c1", b"c2") if "conversations" in name else content
    )


def no_zip(file: Path) -> None:
    file.write_bytes(b"hello")


def add(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../../evil", b"x")


def remove(file: Path) -> None:
    rewritten(file, lambda name, content: None if name == "ledger/windows.jsonl" else content)


def rewritten(file: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            changed = change(name, content)
            if changed is not None:
                archive.writestr(name, changed)


DAMAGES = {"cut": cut, "altered": alter, "not a zip": no_zip, "added": add, "removed": remove}


def test_a_backup_with_another_key_than_the_ledgers_is_refused(local: Line, tmp_path: Path) -> None:
    key = local.settings.holdout.key_file or local.settings.state_dir / "holdout.key"
    key.write_bytes(b"another key, long enough")

    with pytest.raises(BadHoldoutKey, match="is not the ledger's"):
        back_up(local, tmp_path / "a.backup")

    assert not (tmp_path / "a.backup").exists()


def test_a_backup_of_another_share_is_refused(local: Line, tmp_path: Path) -> None:
    back_up(local, tmp_path / "a.backup")
    local.stores.engine.dispose()
    holdout = local.settings.holdout.model_copy(update={"share": 0.3})

    with pytest.raises(BackupRefused, match=r"holdout.share 0.1, the settings have 0.3"):
        restore(local.settings.model_copy(update={"holdout": holdout}), tmp_path / "a.backup", replace=True)


def test_a_backup_of_another_line_is_refused(local: Line, tmp_path: Path) -> None:
    back_up(local, tmp_path / "a.backup")
    local.stores.engine.dispose()

    with pytest.raises(BackupRefused, match="model line support-bot, the settings name other"):
        restore(
            local.settings.model_copy(update={"model_line": "other"}), tmp_path / "a.backup", replace=True
        )


def test_two_at_once_are_refused(local: Line, tmp_path: Path) -> None:
    from daemon.backup.workspace import workspace

    with workspace(local.settings.state_dir), pytest.raises(BackupRefused, match="another backup or restore"):
        back_up(local, tmp_path / "a.backup")


def test_a_ledger_moves_from_sqlite_to_postgresql_and_back(postgres: PostgresServer, tmp_path: Path) -> None:
    line = a_line(tmp_path, holdout={"key_file": a_key(tmp_path)})
    line.promoted()
    back_up(line, tmp_path / "a.backup")
    line.stores.engine.dispose()
    before = rows(line.settings)
    with postgres.database() as url:
        server = line.settings.model_copy(
            update={"ledger_url": url, "artifacts_url": str(tmp_path / "state/artifacts")}
        )
        restore(server, tmp_path / "a.backup")
        assert comparable(rows(server)) == comparable(before)
        create_backup(server, tmp_path / "b.backup", with_artifacts=False, replace=False, now=NOW)

    restore(line.settings, tmp_path / "b.backup", replace=True)

    assert rows(line.settings) == before


def a_key(folder: Path) -> Path:
    (folder / "shared.key").write_bytes(KEY)
    return folder / "shared.key"


def comparable(tables: dict[str, Any]) -> dict[str, Any]:
    """Numbers of floating point read the same; SQLite has booleans and documents of its own."""
    return {name: len(found) for name, found in tables.items()}


def test_an_unknown_schema_is_refused(line: Line, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    back_up(line, file)
    line.stores.engine.dispose()
    before = rows(line.settings)
    rewritten(
        file, lambda name, content: content.replace(b'"revision": "', b'"revision": "9') if name == "manifest.json" else content
    )  # fmt: skip

    with pytest.raises(LedgerError, match="which this release does not know"):
        restore(line.settings, file, replace=True)

    assert rows(line.settings) == before


def test_a_damaged_ledger_is_not_backed_up_but_can_be_replaced(tmp_path: Path) -> None:
    line = a_line(tmp_path)
    back_up(line, tmp_path / "a.backup")
    before = rows(line.settings)
    line.stores.engine.dispose()
    ledger = line.settings.state_dir / "ledger.db"
    ledger.write_bytes(b"SQLite format 3\0" + b"\xff" * 40_000)

    with pytest.raises(LedgerError, match=r"can't be read|damaged"):
        back_up(line, tmp_path / "b.backup")
    report = restore(line.settings, tmp_path / "a.backup", replace=True)

    assert rows(line.settings) == before
    assert Path(report.kept[0]).read_bytes().endswith(b"\xff" * 100)


def test_a_command_that_has_the_ledger_open_is_noticed(tmp_path: Path) -> None:
    line = a_line(tmp_path)
    back_up(line, tmp_path / "a.backup")
    line.stores.engine.dispose()
    before = rows(line.settings)
    other = open_ledger(str(ledger_url(line.settings)))
    with reader(other).connect() as connection:
        connection.exec_driver_sql("SELECT 1 FROM conversations").all()

        with pytest.raises(LedgerInUse, match="stop it"):
            restore(line.settings, tmp_path / "a.backup", replace=True)
    other.dispose()

    assert rows(line.settings) == before


def in_a_child(act: Callable[[], None]) -> int:
    """Run something in a fork of this process; returns its exit status."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["backup.sync", "backup.replace"])
def test_a_backup_that_is_killed_leaves_the_old_file_or_the_new_one(
    line: Line, tmp_path: Path, step: str, moment: str
) -> None:
    file = tmp_path / "a.backup"
    back_up(line, file)
    old = file.read_bytes()
    line.add_conversations(30)
    line.stores.engine.dispose()
    after = rows(line.settings)

    def act() -> None:
        with watched(Fault(step, moment, "killed")):
            back_up(line, file, replace=True)

    assert in_a_child(act) == KILLED

    is_new = (step, moment) == ("backup.replace", "after")
    assert (file.read_bytes() == old) is not is_new
    back_up(line, file, replace=True)  # what was left is no obstacle
    assert [name for name in files(tmp_path) if "partial" in name] == []
    assert not (line.settings.state_dir / "backup").exists()
    restore(line.settings, file, replace=True)
    assert rows(line.settings) == after


RESTORE_STEPS = ("artifact.manifest", "restore.decide", "restore.move", "restore.server")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", RESTORE_STEPS)
def test_a_restore_that_is_killed_leaves_the_old_state_or_the_new_one(
    line: Line, tmp_path: Path, step: str, moment: str
) -> None:
    on_server = line.settings.ledger_url is not None
    if step == "restore.server" and not on_server:
        pytest.skip("SQLite has no such step")
    file = tmp_path / "a.backup"
    new = rows(line.settings)
    back_up(line, file, artifacts=True)
    line.add_conversations(30)
    line.stores.engine.dispose()
    old = rows(line.settings)
    if step == "artifact.manifest":
        shutil.rmtree(line.settings.state_dir / "artifacts")

    def act() -> None:
        with watched(Fault(step, moment, "killed")):
            restore(line.settings, file, replace=True)

    assert in_a_child(act) == KILLED

    decided = {
        ("restore.decide", "after"),
        ("restore.move", "before"),
        ("restore.move", "after"),
        ("restore.server", "after"),
    }
    is_new = (step, moment) in decided or (on_server and step == "restore.decide")
    assert rows(line.settings) == (new if is_new else old)
    assert_nothing_disagrees(line.settings)
    restore(line.settings, file, replace=True)
    assert rows(line.settings) == new
    left = [name for name in files(line.settings.state_dir) if "restoring" in name or name == "restore.json"]
    assert left == []


def test_key_and_ledger_are_replaced_together(tmp_path: Path) -> None:
    """The machine has a new, empty ledger with a key of its own: both give way, and a kill between them is mended."""
    line = a_line(tmp_path)
    file = tmp_path / "a.backup"
    back_up(line, file)
    before = rows(line.settings)
    forget_everything(line)
    open_stores(line.settings).engine.dispose()  # makes another key

    def act() -> None:
        with watched(Fault("restore.move", "after", "killed")):
            restore(line.settings, file, replace=True)

    assert in_a_child(act) == KILLED
    assert rows(line.settings) == before  # opening the ledger finished the restore
    assert any("holdout.key.before-restore" in name for name in files(line.settings.state_dir))
