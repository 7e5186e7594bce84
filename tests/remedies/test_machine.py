"""What no command of retuned mends: files, settings, rights and the machine. The instruction is followed by hand."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from daemon.cli.doctor.bound import check_bound
from daemon.cli.doctor.check import Check
from daemon.cli.doctor.machine import check_disk, check_holdout_key, check_http, check_privacy
from daemon.cli.doctor.model import check_embedding, check_model
from daemon.config.loader import dump
from daemon.config.settings import Settings
from daemon.http.probe import DaemonHealth
from daemon.runtime.base_model import BaseModel
from daemon.runtime.bound_stage import BoundStage
from learners.models.base import base_digest
from registry.names import VersionName
from tests.factories.daemon import LINE, Line
from tests.remedies.cases import mends
from tests.remedies.operator import Operator
from tests.support.helpers import eventually
from tests.unit.cli.test_doctor import a_model

MACHINE, MODEL, BOUND = (
    "daemon/cli/doctor/machine.py", "daemon/cli/doctor/model.py", "daemon/release/bound.py",
)  # fmt: skip


def with_(settings: Settings, section: str, **values: object) -> Settings:
    return settings.model_copy(update={section: getattr(settings, section).model_copy(update=values)})


def failing(checks: Iterable[Check]) -> Check:
    """The one check that fails."""
    [check] = [check for check in checks if not check.ok]
    return check


def passes(checks: Iterable[Check]) -> bool:
    return all(check.ok for check in checks)


@mends("set model.base to a chat model's folder", MODEL)
@mends("copy the tokenizer's files into it", MODEL)
@mends("use a chat model, or add its chat_template.jinja", MODEL)
@pytest.mark.parametrize(
    ("spoil", "mend", "says"),
    [
        (shutil.rmtree, a_model, "set model.base to a chat model's folder"),
        (
            lambda folder: (folder / "tokenizer.json").unlink(),
            lambda folder: (folder / "tokenizer.json").write_text("{}"),
            "copy the tokenizer's files into it",
        ),
        (
            lambda folder: (folder / "tokenizer_config.json").unlink(),
            lambda folder: (folder / "chat_template.jinja").write_text("{{ messages }}"),
            "use a chat model, or add its chat_template.jinja",
        ),
    ],
)
def test_a_base_model_that_lacks_something_gets_it(
    line: Line, spoil: Callable[[Path], object], mend: Callable[[Path], object], says: str
) -> None:
    folder = a_model(Path(line.settings.model.base))
    assert check_model(line.settings).ok

    spoil(folder)
    assert check_model(line.settings).remedy == says
    mend(folder)

    assert check_model(line.settings).ok


@mends("set monitors.embedding.model to an encoder's folder, or unset it: it is optional", MODEL)
def test_an_embedding_model_that_is_missing_is_unset(line: Line) -> None:
    embedding = line.settings.monitors.embedding.model_copy(update={"model": "/nowhere"})
    settings = with_(line.settings, "monitors", embedding=embedding)

    assert "unset it" in failing(check_embedding(settings)).remedy

    assert passes(check_embedding(line.settings))


@mends("chmod 600 {}", MACHINE)
@mends("chmod {} {}", MACHINE)
@pytest.mark.parametrize("name", ["holdout.key", "ledger.db", "."])
def test_what_others_can_read_is_closed_by_the_command_that_is_printed(line: Line, name: str) -> None:
    path = line.settings.state_dir / name
    path.chmod(0o777)
    checks = [*check_privacy(line.settings), check_holdout_key(line.settings)]

    subprocess.run(failing(checks).remedy, shell=True, check=True)  # noqa: S602 - as it would be pasted

    assert passes([*check_privacy(line.settings), check_holdout_key(line.settings)])


@mends("restore the key there, or correct holdout.key_file", MACHINE)
@mends("restore the key there from a backup", BOUND)
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("another key of 16 bytes")])
@pytest.mark.parametrize("where", [("status",), ("doctor",), ("hold", "-m", "so")])
def test_a_holdout_key_is_put_back(
    operator: Operator, damage: Callable[[Path], object], where: tuple[str, ...]
) -> None:
    key = operator.line.settings.state_dir / "holdout.key"
    copy = key.read_bytes()
    damage(key)

    assert "restore th" in operator.reads(*where)
    key.write_bytes(copy)
    key.chmod(0o600)

    assert "restore th" not in operator.reads(*where)
    assert check_holdout_key(operator.line.settings).ok


@mends(
    "set model_line back, or give the other line a state_dir or ledger_url of its own",
    "daemon/ledger/database.py",
)
@mends(
    "restore that key (the part before the slash) and holdout.share (the part after it)",
    "daemon/ledger/database.py",
)
@pytest.mark.parametrize("change", ["line", "share"])
def test_a_setting_that_the_ledger_is_bound_to_is_set_back(operator: Operator, change: str) -> None:
    line, right = operator.line, operator.line.config.read_text()
    other = (
        line.settings.model_copy(update={"model_line": "other"})
        if change == "line"
        else with_(line.settings, "holdout", share=0.3)
    )
    line.config.write_text(dump(other))
    assert ("set model_line back" if change == "line" else "holdout.share") in operator.status()

    line.config.write_text(right)

    assert LINE in operator.status()


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


@mends("free 1 GiB for a training, or set state_dir to a larger disk", MACHINE)
@mends("free some space", "daemon/views/machine.py")
def test_a_full_disk_is_named_until_there_is_space(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: _Usage(10**10, 10**10, 10**6))
        assert "Free some space." in operator.status()
        assert check_disk(operator.line.settings).remedy.startswith("free 1 GiB")

    assert "Free some space." not in operator.status()


@mends("set the clock of the machine that is wrong", "daemon/views/machine.py")
def test_a_clock_behind_the_log_is_named_until_it_is_set(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("daemon.domain.clock.utc_now", lambda: operator.line.now - timedelta(hours=3))
        assert "Set the clock of the machine that is wrong." in operator.status()

    assert "clock" not in operator.status()


@mends("make it writable for the user that runs the daemon, or set state_dir to another folder", MACHINE)
def test_a_folder_that_may_not_be_written_is_made_writable(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda *_: False)  # root may write everywhere
        assert "make it writable" in check_disk(line.settings).remedy

    assert "writable" not in check_disk(line.settings).remedy


@mends("set http.port to a free port, or stop that program", MACHINE)
def test_a_port_that_another_program_has_is_left_to_it(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    other = DaemonHealth(url="http://127.0.0.1:9464", running=False, other="another program")
    with monkeypatch.context() as patch:
        patch.setattr("daemon.cli.doctor.machine.probe", lambda *_, **__: other)
        assert "free port" in check_http(line.settings).remedy

    assert check_http(with_(line.settings, "http", port=0)).ok


@mends(
    "restore those files or correct model.base; another base model needs a model line with a state_dir of its own",
    BOUND,
)
@mends("restore the folder", "daemon/runtime/bound_stage.py")
@pytest.mark.parametrize("damage", ["replaced", "gone"])
def test_the_base_model_is_put_back(line: Line, damage: str) -> None:
    folder = a_model(Path(line.settings.model.base))
    bind_to_base(line, base_digest(folder))
    stage = BoundStage(
        line.stores, line.settings, BaseModel(folder=folder, digest=base_digest(folder)), clock=line.clock
    )
    weights = folder / "model.safetensors"
    assert problem(stage) is None

    weights.write_bytes(b"others") if damage == "replaced" else folder.rename(folder.parent / "away")
    assert "restore th" in str(problem(stage))
    assert damage == "gone" or not passes(check_bound(line.stores, line.settings))
    weights.write_bytes(b"weights") if damage == "replaced" else (folder.parent / "away").rename(folder)

    assert problem(stage) is None
    assert passes(check_bound(line.stores, line.settings))


def bind_to_base(line: Line, digest: str) -> None:
    """Have the live version say that it was made for a base model with this digest."""
    found = line.stores.versions.version(VersionName(LINE, 0))
    bound = replace(found, lineage=replace(found.lineage, base_digest=digest))
    line.stores.versions.version = lambda name: bound  # type: ignore[method-assign]  # noqa: ARG005


def problem(stage: BoundStage) -> str | None:
    """What the stage says after another comparison."""
    stage.step()
    eventually(lambda: stage._examination is not None and stage._examination.done())
    stage.step()
    return stage.problem


@mends("correct artifacts_url, or copy the artifacts there", BOUND)
@pytest.mark.parametrize("remedy", ["correct", "copy"])
def test_an_artifact_store_that_lacks_the_live_version_is_corrected(
    operator: Operator, tmp_path: Path, remedy: str
) -> None:
    line = operator.line
    line.promoted()
    here, there = line.settings.state_dir / "artifacts", tmp_path / "elsewhere"
    right = line.config.read_text()
    line.config.write_text(dump(line.settings.model_copy(update={"artifacts_url": f"file://{there}"})))
    assert "correct artifacts_url, or copy the artifacts there" in operator.reads("doctor")

    if remedy == "correct":
        line.config.write_text(right)
    else:
        shutil.copytree(here, there)
        operator.types("sync")

    assert "artifacts_url" not in operator.reads("doctor")
    assert json.loads(operator.types("status", "--json").stdout)["live_files"] is None


@mends("put a renewed certificate into that file", "daemon/cli/doctor/certificates.py")
def test_a_certificate_that_expires_soon_is_renewed(operator: Operator, tmp_path: Path) -> None:
    line, file = operator.line, tmp_path / "authority.pem"
    kafka = {"security_protocol": "SSL", "ssl_cafile": file}
    line.config.write_text(dump(with_(line.settings, "kafka", **kafka)))
    for days, named in ((3, True), (300, False)):
        ends = datetime.now(UTC) + timedelta(days=days)
        issued = trustme.CA().issue_cert("localhost", not_after=ends)
        file.write_bytes(issued.cert_chain_pems[0].bytes())

        assert ("Put a renewed certificate into that file." in operator.status()) is named
        assert ("put a renewed certificate into that file" in operator.reads("doctor")) is named
