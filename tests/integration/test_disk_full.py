"""A ledger on a disk that is really full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from daemon.domain.errors import LedgerUnavailable
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.database import open_ledger, reader
from daemon.ledger.intake import IntakeLedger
from tests.factories.cli import type_to
from tests.factories.daemon import a_line
from tests.factories.ledger import TOPIC, a_batch, some_conversations
from tests.support.helpers import missing, required_program

BATCH = 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Three megabytes, of which a file fills one."""
    mount, umount = required_program("mount", "install mount"), required_program("umount", "install mount")
    if os.geteuid() != 0:
        missing("the right to mount a small disk", "run the tests as root")
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        missing(f"a small disk ({done.stderr.strip()})", "allow this machine to mount a tmpfs")
    (folder / "ballast").write_bytes(b"x" * 2**20)
    yield folder
    subprocess.run([umount, folder], check=True)


def fill(intake: IntakeLedger) -> None:
    """Far more than fits."""
    for first in range(0, 100 * BATCH, BATCH):
        intake.record(a_batch(some_conversations(first, BATCH)))


def fill_disk(folder: Path) -> None:
    """Leave no free byte."""
    with (folder / "ballast").open("ab", buffering=0) as ballast, suppress(OSError):
        while ballast.write(b"x" * 4096):
            pass


def test_a_full_disk_stops_intake_with_a_clear_error_and_loses_nothing(small_disk: Path) -> None:
    engine = open_ledger(f"sqlite:///{small_disk / 'ledger.db'}")
    intake = IntakeLedger(engine, window_size=100)

    with pytest.raises(LedgerUnavailable, match="disk is full; nothing is lost; free some space"):
        fill(intake)

    first = intake.next_offsets()[TOPIC, 0]
    assert first >= BATCH
    assert ConversationLedger(engine).last_seq() == first

    (small_disk / "ballast").unlink()
    intake.record(a_batch(some_conversations(first, BATCH)))

    assert ConversationLedger(engine).last_seq() == first + BATCH
    with reader(engine).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    engine.dispose()


def test_a_rollback_on_a_full_target_disk_is_finished_by_sync(tmp_path: Path, small_disk: Path) -> None:
    line = a_line(tmp_path, target_dir=small_disk / "target")
    line.promoted()
    fill_disk(small_disk)

    refused = type_to(line, "rollback", "-m", "worse")
    status = " ".join(type_to(line, "status").stdout.split())

    assert refused.exit_code == 1
    assert "But the target is not switched: [Errno 28] No space left on device" in refused.stderr
    assert "`retuned sync`" in refused.stderr
    assert "is live, but the target names support-bot-v1. Finish the switch: `retuned sync`" in status

    (small_disk / "ballast").unlink()
    assert type_to(line, "sync").exit_code == 0
    assert str(line.stores.target.current()) == "support-bot-v0"
    line.stores.engine.dispose()
