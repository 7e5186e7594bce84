"""Compressed topics, and batches that are far larger than they look."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest

from daemon.domain.streams import BatchTooLarge, TopicPartition
from daemon.kafka import fetch_records
from daemon.kafka.admin import cluster_admin
from daemon.kafka.settings import KafkaSettings
from tests.factories.intake import kafka_settings
from tests.servers.brokers import Broker
from tests.support.compressed import send_apart, send_compressed
from tests.support.reading import fill, polled, source_of, wait_until

pytestmark = pytest.mark.usefixtures("clients_are_gone")

CODECS = ["gzip", "snappy", "lz4", "zstd"]
LIMIT = 32 * 2**20
BOMB = 300 * 10**6  # zeros


@pytest.fixture
def settings(broker: Broker, topic: str) -> KafkaSettings:
    made = kafka_settings(broker.bootstrap, topic)
    with cluster_admin(made, 10) as admin:
        limits = {"max.message.bytes": str(BOMB)}  # some codecs make less small what is made to be large
        admin.create_topics({topic: {"num_partitions": 1, "configs": limits}})
    return made


@dataclass(frozen=True)
class Reading:
    """What a process of its own found in a topic."""

    offsets: list[int]
    error: str | None
    took: int  # bytes of memory, at most


def read_elsewhere(settings: KafkaSettings, count: int) -> Reading:
    arguments = [settings.bootstrap_servers[0], settings.topic, str(LIMIT), str(count)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.peak_of_reading", *arguments],
        stdout=subprocess.PIPE,
        timeout=120,
        check=True,
    )
    return Reading(**json.loads(done.stdout))


@pytest.mark.parametrize("codec", CODECS)
def test_records_of_every_codec_are_read(settings: KafkaSettings, codec: str) -> None:
    sent = [b"%d " % number + "记录".encode() * 50 for number in range(300)]
    send_compressed(settings, codec, sent)
    source = source_of(settings, p0=7)  # in the middle of a batch

    read = polled(source, 293)
    source.close(2)

    assert [record.value for record in read] == sent[7:]
    assert [record.offset for record in read] == list(range(7, 300))
    single = fetch_records(settings, {TopicPartition(settings.topic, 0): [250]})
    assert [record.value for record in single] == [sent[250]]


@pytest.mark.parametrize("codec", CODECS)
def test_a_compression_bomb_halts_intake_within_bounded_memory(settings: KafkaSettings, codec: str) -> None:
    fill(settings, b"before")
    send_compressed(settings, codec, [bytes(BOMB)])

    found = read_elsewhere(settings, 2)

    assert found.offsets == [0]
    assert found.error is not None
    assert found.error.startswith(
        f"BatchTooLarge: {settings.topic}/0: the compressed record batch at offset 1"
    )
    assert f"more than {LIMIT} bytes" in found.error
    assert f"retuned intake seek {settings.topic}/0 2 -m" in found.error
    assert found.took < 6 * LIMIT  # of 300 MB, and of 860 MiB where nothing bounds it


def test_many_large_batches_are_read_within_bounded_memory(settings: KafkaSettings) -> None:
    send_apart(settings, "gzip", [bytes(LIMIT * 3 // 4)] * 20)

    found = read_elsewhere(settings, 20)

    assert found.offsets == list(range(20))
    assert found.error is None
    assert found.took < 8 * LIMIT  # of 480 MiB in all


def test_behind_a_bomb_reading_goes_on_where_the_remedy_says(settings: KafkaSettings) -> None:
    small = replace(settings, max_batch_bytes=1000)
    send_compressed(settings, "gzip", [bytes(500)] * 3)
    fill(settings, b"behind")
    source = source_of(small)
    with pytest.raises(BatchTooLarge) as halt:
        wait_until(lambda: source.poll(0.2) != [])
    with pytest.raises(BatchTooLarge):  # and again, rather than never come back
        wait_until(lambda: source.poll(0.2) != [])
    source.close(2)

    assert (halt.value.offset, halt.value.next_offset) == (0, 3)
    behind = source_of(small, p0=3)
    assert [record.value for record in polled(behind, 1)] == [b"behind"]
    behind.close(2)
