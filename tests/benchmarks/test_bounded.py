"""A million records through decoding, hygiene, ledger and retention: memory and disk must stay as they are."""

import time
from datetime import timedelta
from pathlib import Path

import psutil

from daemon.config.settings import HygieneSection
from daemon.domain.clock import utc_now
from daemon.domain.holdout import Holdout
from daemon.domain.streams import RawRecord
from daemon.intake.router import Router
from daemon.ledger.database import open_ledger
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.intake import IntakeLedger
from daemon.retention.conversations import ConversationRetention
from daemon.retention.history import HistoryRetention
from daemon.retention.stage import RetentionStage
from daemon.telemetry.metrics import Metrics
from tests.benchmarks.figures import tell
from tests.benchmarks.stream import a_record
from tests.factories.retention import some_retention
from tests.factories.stores import some_settings

RECORDS, BATCH = 1_000_000, 2_000
#: Small enough for both sides to be full after 250,000 records, though one in ten is held out.
KEEP = some_retention(conversations=20_000, sample=5_000, known_ids=50_000)
_MIB = 2**20


def test_memory_and_disk_are_flat_over_a_million_records(tmp_path: Path) -> None:
    file, now = tmp_path / "ledger.db", utc_now()
    engine = open_ledger(f"sqlite:///{file}")
    ledger = IntakeLedger(engine, window_size=100, hygiene=HygieneSection())
    letters = DeadLetterLedger(engine)  # of one user's floods
    router = Router(some_settings(tmp_path), Holdout(b"k" * 32, share=0.1))
    retention = RetentionStage(
        ConversationRetention(engine, lambda: KEEP), HistoryRetention(engine, some_retention), scored=lambda: (),
        delete_jobs=lambda: None,
        runs_dir=tmp_path / "runs", metrics=Metrics(), clock=lambda: now,
    )  # fmt: skip
    memory, disk, started = [], [], time.monotonic()
    for first in range(0, RECORDS, BATCH):
        ledger.record(router.route(batch(first), now).batch)
        letters.mark_published(
            [waiting.id for waiting in letters.unpublished(BATCH)], now
        )  # what is not stays for ever
        now += timedelta(seconds=1)
        retention.step()
        if (first + BATCH) % (RECORDS // 10) == 0:
            memory.append(psutil.Process().memory_info().rss / _MIB)
            disk.append(file.stat().st_size / _MIB)
    engine.dispose()

    for name, sizes in (("memory", memory), ("ledger", disk)):
        tell(f"{name} after 300,000 records", sizes[2], "MiB")
        tell(f"{name} after 600,000 records", sizes[5], "MiB")
        tell(f"{name} after a million", sizes[-1], "MiB")
    tell("intake with retention, without Kafka", RECORDS / (time.monotonic() - started), "records/s")
    assert memory[-1] < memory[2] * 1.05 + 5
    assert (
        disk[-1] < disk[5] * 1.02
    )  # rows are as many from 250,000 on; the pages that they leave fill up later


def batch(first: int) -> list[RawRecord]:
    return [
        RawRecord(
            topic="t",
            partition=0,
            offset=offset,
            timestamp_ms=0,
            key=None,
            value=a_record(offset),
            headers=(),
        )
        for offset in range(first, first + BATCH)
    ]
