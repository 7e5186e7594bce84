import errno
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from daemon.cli.doctor.check import Check, guarded, passed
from daemon.cli.doctor.machine import check_disk, check_holdout_key, check_http
from daemon.cli.doctor.model import check_embedding, check_model
from daemon.cli.doctor.settings import check_reload
from daemon.cli.doctor.stores import check_stores
from daemon.cli.doctor.tracing import check_tracing
from daemon.config.reloading import ReloadReport
from daemon.config.sections.tracing import TracingSection
from daemon.config.settings import Settings
from daemon.domain.errors import LedgerLost
from daemon.http.probe import DaemonHealth
from daemon.kafka.admin import TopicDescription
from registry.directory_target import POINTER
from registry.tables import promotions
from tests.factories.cli import type_to
from tests.factories.daemon import Line, a_line, line_settings
from tests.servers.otlp_receiver import OtlpReceiver


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def ill(line: Line) -> list[Check]:
    """The problems of the stores."""
    return [check for check in check_stores(line.settings) if not check.ok]


def a_model(folder: Path) -> Path:
    """A folder that looks like a chat model's."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    return folder


def test_a_line_in_order_has_no_problem(line: Line) -> None:
    line.promoted()

    assert ill(line) == []


def test_a_ledger_that_is_not_there_yet_is_no_problem_and_is_not_made(tmp_path: Path) -> None:
    settings = line_settings(tmp_path)

    (check,) = check_stores(settings)

    assert check.ok
    assert not settings.state_dir.exists()


@pytest.mark.parametrize("lost", ["missing", "empty"])
def test_a_ledger_that_was_there_is_missed(line: Line, lost: str) -> None:
    line.promoted()
    line.stores.engine.dispose()
    path = line.settings.state_dir / "ledger.db"
    path.unlink() if lost == "missing" else path.write_bytes(b"")

    (check,) = ill(line)
    answer = type_to(line, "status")

    assert "names support-bot-v1" in check.found
    assert check.remedy.startswith("put that ledger back")
    assert answer.exit_code == 1
    assert "names support-bot-v1" in answer.stderr
    assert path.exists() is (lost == "empty")


def test_a_folder_that_can_not_be_written_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere

    check = check_disk(line_settings(tmp_path))

    assert not check.ok
    assert "writable" in check.remedy


def test_a_ledger_that_is_no_database_is_a_problem(line: Line) -> None:
    line.stores.engine.dispose()
    (line.settings.state_dir / "ledger.db").write_bytes(b"no database at all" * 100)

    (check,) = ill(line)

    assert check.subject == "ledger"
    assert "backup" in check.remedy


def test_a_ledger_with_a_damaged_page_is_a_problem(line: Line) -> None:
    line.add_conversations(500)
    line.stores.engine.dispose()  # the last connection's end moves everything into the one file
    database = line.settings.state_dir / "ledger.db"
    content = bytearray(database.read_bytes())
    content[-3 * 4096 :] = b"\x7f" * (3 * 4096)
    database.write_bytes(content)

    assert "ledger" in {check.subject for check in ill(line)}


def test_an_altered_log_is_a_problem(line: Line) -> None:
    line.promoted()
    with line.stores.engine.begin() as connection:
        first = connection.scalars(promotions.select().with_only_columns(promotions.c.document)).first()
        assert first is not None
        altered = {**first, "reason": "nobody will notice"}
        connection.execute(update(promotions).where(promotions.c.position == 1).values(document=altered))

    assert [check.subject for check in ill(line)] == ["promotion log"]


def test_a_damaged_artifact_is_a_problem_of_its_version(line: Line) -> None:
    name = line.promoted()
    line.damage(name)

    (check,) = ill(line)

    assert check.subject == f"artifact of {name}"
    assert "adapter_model.safetensors" in check.found


def test_a_candidates_artifact_is_looked_at_too(line: Line) -> None:
    name = line.candidate()
    line.damage(name)

    assert [check.subject for check in ill(line)] == [f"artifact of {name}"]


def test_a_target_that_fell_behind_is_a_problem(line: Line) -> None:
    (line.settings.state_dir / "target" / POINTER).unlink()

    (check,) = ill(line)

    assert check.found == "the promotion log says that support-bot-v0 is live, but the target names nothing"
    assert check.remedy == "`retuned sync`"


def test_another_holdout_key_is_a_problem(line: Line) -> None:
    (line.settings.state_dir / "holdout.key").write_text("another key of sixteen bytes")

    (check,) = ill(line)

    assert "holdout" in check.found


def test_a_chat_models_folder_is_usable(tmp_path: Path) -> None:
    a_model(tmp_path / "model")

    assert check_model(line_settings(tmp_path)).ok


@pytest.mark.parametrize(
    ("lacks", "found"),
    [
        ("model.safetensors", "safetensors"),
        ("config.json", "config.json"),
        ("tokenizer.json", "no tokenizer"),
        ("tokenizer_config.json", "no chat template"),
    ],
)
def test_a_model_that_lacks_a_part_names_it(tmp_path: Path, lacks: str, found: str) -> None:
    (a_model(tmp_path / "model") / lacks).unlink()

    check = check_model(line_settings(tmp_path))

    assert not check.ok
    assert found in check.found


def test_a_chat_template_may_be_a_file_of_its_own(tmp_path: Path) -> None:
    folder = a_model(tmp_path / "model")
    (folder / "tokenizer_config.json").write_text("not JSON")
    (folder / "chat_template.jinja").write_text("{{ messages }}")

    assert check_model(line_settings(tmp_path)).ok


def test_a_key_that_others_can_read_is_a_problem(line: Line) -> None:
    assert check_holdout_key(line.settings).ok
    key = line.settings.state_dir / "holdout.key"
    key.chmod(0o640)

    check = check_holdout_key(line.settings)

    assert not check.ok
    assert check.remedy == f"chmod 600 {key}"


def test_a_key_file_that_is_missing_is_a_problem(tmp_path: Path) -> None:
    settings = line_settings(tmp_path, holdout={"key_file": str(tmp_path / "none.key")})

    assert not check_holdout_key(settings).ok


@pytest.mark.parametrize(("mode", "ok"), [(0o440, True), (0o444, False), (0o460, False)])
def test_a_key_from_a_mounted_secret_is_read_through_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, ok: bool
) -> None:
    key = tmp_path / "mounted.key"
    key.write_text("k" * 64)
    key.chmod(mode)
    settings = line_settings(tmp_path, holdout={"key_file": str(key)})

    assert not check_holdout_key(settings).ok  # its owner has no use for a group that reads it
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert check_holdout_key(settings).ok is ok


@pytest.mark.parametrize(("free", "ok"), [(1 << 40, True), (1 << 20, False)])
def test_a_full_disk_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, ok: bool
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))

    assert check_disk(line_settings(tmp_path)).ok is ok


def test_a_port_that_another_program_holds_is_a_problem(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        check = check_http(line_settings(tmp_path, http={"port": port}))

    assert not check.ok
    assert "could not listen" in check.found


def test_a_free_port_is_well(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]

    assert check_http(line_settings(tmp_path, http={"port": port})).ok


def embedding_settings(folder: Path, model: str | None) -> Settings:
    settings = line_settings(folder)
    section = settings.monitors.embedding.model_copy(update={"model": model})
    return settings.model_copy(
        update={"monitors": settings.monitors.model_copy(update={"embedding": section})}
    )


def test_no_embedding_model_is_needed(tmp_path: Path) -> None:
    assert list(check_embedding(embedding_settings(tmp_path, None))) == []


def test_an_embedding_model_in_order_is_no_problem(tmp_path: Path) -> None:
    folder = a_model(tmp_path / "encoder")
    (folder / "config.json").write_text('{"model_type": "bert"}')

    (check,) = check_embedding(embedding_settings(tmp_path, str(folder)))

    assert check.ok
    assert "pooled by mean" in check.found


@pytest.mark.parametrize("name", ["/no/such/folder", "no-such/model", "encoder"])
def test_an_embedding_model_that_is_not_there_or_not_whole_is_a_problem(tmp_path: Path, name: str) -> None:
    a_model(tmp_path / "encoder")

    (check,) = check_embedding(
        embedding_settings(tmp_path, str(tmp_path / name) if name == "encoder" else name)
    )

    assert not check.ok
    assert "monitors.embedding.model" in check.remedy


#: What each part of the examination calls first.
PARTS = {
    "broker": "daemon.cli.doctor.broker.check_broker",
    "ledger": "daemon.cli.doctor.stores.open_stores",
    "promotion log": "daemon.cli.doctor.stores.checked_history",
    "target": "daemon.cli.doctor.stores._target",
    "artifacts": "daemon.cli.doctor.stores._artifacts",
    "model": "daemon.cli.doctor.model.resolve_base",
    "disk": "daemon.cli.doctor.machine.shutil.disk_usage",
    "holdout key": "daemon.cli.doctor.machine.others_may_use",
    "daemon": "daemon.cli.doctor.machine.probe",
}
FAULTS = [
    RuntimeError("bug"),
    ImportError("no psycopg"),
    OSError(errno.ENOSPC, "No space left on device", "/state"),
    sqlite3.DatabaseError("malformed"),
    LedgerLost("the ledger is damaged; restore it"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{type(fault).__name__} {fault}")
@pytest.mark.parametrize("subject", PARTS)
def test_the_doctor_survives_whatever_a_check_meets(
    line: Line, monkeypatch: pytest.MonkeyPatch, subject: str, fault: Exception
) -> None:
    line.promoted()
    monkeypatch.setattr("daemon.cli.doctor.broker.check_broker", lambda *_, **__: 1)
    monkeypatch.setattr(
        "daemon.cli.doctor.broker.describe_topic",
        lambda *_, **__: TopicDescription(partitions=1, operations=None),
    )
    monkeypatch.setattr("daemon.cli.doctor.broker.group_operations", lambda *_, **__: None)

    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(PARTS[subject], fail)
    answer = type_to(line, "doctor", "--json")

    checks = {check["subject"]: check for check in answer.document["checks"]}
    assert answer.exit_code == 1
    assert answer.stderr == ""
    assert not checks[subject]["ok"]
    assert checks[subject]["remedy"]
    assert "Traceback" not in checks[subject]["found"]
    assert {"model", "disk", "holdout key", "daemon", "ledger"} <= checks.keys()


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/state"), "free some space"),
        (OSError(errno.EACCES, "Permission denied", "/state"), "check the permissions"),
        (ImportError("no x"), "install retuned again"),
        (RuntimeError("bug"), "report this line"),
    ],
)
def test_the_remedy_of_a_check_that_fails_to_run_is_that_of_its_error(fault: Exception, remedy: str) -> None:
    def fail() -> list[Check]:
        raise fault

    (check,) = guarded("part", fail)

    assert check.remedy.startswith(remedy)
    assert not check.ok


def test_what_was_found_before_a_check_failed_is_kept() -> None:
    def half() -> Iterator[Check]:
        yield passed("first", "well")
        raise RuntimeError("bug")

    assert [check.ok for check in guarded("second", half)] == [True, False]


@pytest.mark.parametrize("mistakes", [(), ("retuned.yaml:1: logging.level: must be INFO",)])
def test_the_latest_reload_is_told(
    line: Line, monkeypatch: pytest.MonkeyPatch, mistakes: tuple[str, ...]
) -> None:
    report = ReloadReport(
        at=datetime(2026, 11, 30, tzinfo=UTC), applied=("policy.x: 1 -> 2",), mistakes=mistakes
    )
    health = DaemonHealth(url="http://127.0.0.1:1", running=True, reload=report)
    monkeypatch.setattr("daemon.cli.doctor.settings.probe", lambda *_, **__: health)

    [check] = check_reload(line.settings)

    assert (check.ok, check.found) == (not mistakes, report.sentence)


@pytest.mark.parametrize("status", [200, 401, None])
def test_the_collector_of_traces_is_asked(line: Line, status: int | None) -> None:
    with OtlpReceiver() as receiver:
        receiver.status = status or 200
        endpoint = receiver.endpoint if status else "http://127.0.0.1:1"
        tracing = TracingSection.model_validate({"endpoint": endpoint})
        [check] = check_tracing(line.settings.model_copy(update={"tracing": tracing}))

    assert check.ok == (status == 200)
    assert ("401" in check.found) == (status == 401)
