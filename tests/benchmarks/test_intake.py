"""Intake with everything that makes it safe, against a bare loop that only polls and parses."""

import gc
import time
from pathlib import Path

import pytest

from daemon.config.settings import LimitsSection
from daemon.demo.broker import LocalBroker
from daemon.domain.clock import utc_now
from daemon.domain.conversation import Conversation, Message
from daemon.domain.holdout import Holdout
from daemon.intake.decoding import decode
from daemon.intake.replay import encode_record
from daemon.intake.router import Router
from daemon.intake.stage import IntakeStage
from daemon.kafka import KafkaSink, KafkaSource, create_topic
from daemon.kafka.settings import KafkaSettings
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.database import open_ledger
from daemon.runtime.garbage_collector import relax_garbage_collector
from daemon.telemetry.metrics import Metrics
from tests.benchmarks.bare_loop import bare_rate
from tests.benchmarks.figures import show, tell
from tests.factories.stores import some_settings, some_stores

RECORDS = 20_000


def a_record(number: int) -> bytes:
    """About 700 bytes."""
    messages = tuple(
        Message(
            role="user" if turn % 2 == 0 else "assistant",
            content=f"turn {turn} of {number}: " + "how does it go? " * 7,
        )
        for turn in range(4)
    )
    return encode_record(
        Conversation(
            conversation_id=f"c{number}", at=utc_now(), user_id=f"u{number % 999}", messages=messages
        )
    )


@pytest.fixture(scope="module")
def filled(broker: LocalBroker) -> KafkaSettings:
    settings = KafkaSettings(
        bootstrap_servers=(broker.bootstrap,), topic="bench", dead_letter_topic="bench.dead", group_id="bench",
        session_timeout_ms=6_000, heartbeat_interval_ms=400, max_poll_records=2_000,
    )  # fmt: skip
    create_topic(settings, "bench", partitions=1)
    sink = KafkaSink(settings)
    for number in range(RECORDS):
        sink.send("bench", None, a_record(number))
    assert sink.flush(60)
    sink.close(5)
    return settings


def our_rate(settings: KafkaSettings, folder: Path) -> float:
    """Records a second through decoding, hygiene, holdout split, bounds and ledger, offsets included."""
    engine = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    conversations = ConversationLedger(engine)
    source = KafkaSource(settings, start_offsets=lambda _: {})
    line = some_settings(folder)
    stage = IntakeStage(
        source, some_stores(engine, line), Router(line, Holdout(b"k" * 32, share=0.1)),
        metrics=Metrics(), clock=utc_now, poll_s=0.2, wait=lambda _: None,
    )  # fmt: skip
    while conversations.last_seq() == 0:
        stage.step()
    started, before = time.monotonic(), conversations.last_seq()
    while conversations.last_seq() < RECORDS:
        stage.step()
    rate = (RECORDS - before) / (time.monotonic() - started)
    stage.close(5)
    return rate


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning"
)
def test_intake(filled: KafkaSettings, tmp_path: Path) -> None:
    before = gc.get_threshold()
    relax_garbage_collector()
    ours = our_rate(filled, tmp_path)
    gc.unfreeze()
    gc.set_threshold(*before)
    alone = bare_rate(filled, RECORDS, c_checksum=False)
    helped = bare_rate(filled, RECORDS, c_checksum=True)

    peer = "kafka-python poll + orjson"
    assert show("intake", ours=ours, peer=alone, unit="records/s", peer_is=f"{peer}, as pip installs it") > 0
    assert show("intake", ours=ours, peer=helped, unit="records/s", peer_is=f"{peer}, with crc32c in C") > 0


def test_decoding() -> None:
    values, limits, now = [a_record(number) for number in range(5_000)], LimitsSection(), utc_now()
    seconds = []
    for value in values:
        started = time.perf_counter()
        decode(value, limits=limits, received_at=now)
        seconds.append(time.perf_counter() - started)

    p99 = sorted(seconds)[int(0.99 * len(seconds))]
    tell(f"decoding a record of {len(values[0])} bytes, p99", p99 * 1e6, "µs")
    assert p99 < 1e-3
