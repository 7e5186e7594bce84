"""The peers of the intake benchmark: loops that only poll, with kafka-python or librdkafka; nothing is parsed or kept.

Each runs in a process of its own, so that its processor time is its own. Checksums are computed in C, as retuned asks for
the package crc32c.
"""

import subprocess
import sys

from tests.benchmarks.cost import Cost, Meter, told

CLIENTS = ("kafka-python", "librdkafka")


def bare_cost(client: str, *, bootstrap: str, topic: str, partitions: int, records: int) -> Cost:
    """What it takes to poll all records of a topic."""
    words = [client, bootstrap, topic, str(partitions), str(records)]
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.bare_loop", *words]
    return told(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


def _kafka_python(bootstrap: str, topic: str, partitions: int, records: int) -> None:
    from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]

    consumer = KafkaConsumer(
        bootstrap_servers=[bootstrap],
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    consumer.assign([TopicPartition(topic, partition) for partition in range(partitions)])
    meter = Meter()
    while meter.seen < records:
        if found := sum(map(len, consumer.poll(200).values())):
            meter.add(found)
    meter.tell()
    consumer.close()


def _librdkafka(bootstrap: str, topic: str, partitions: int, records: int) -> None:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bare", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    meter = Meter()
    while meter.seen < records:
        if found := len(consumer.consume(500, 0.2)):
            meter.add(found)
    meter.tell()
    consumer.close()


if __name__ == "__main__":
    client, bootstrap, topic, *numbers = sys.argv[1:]
    loop = {"kafka-python": _kafka_python, "librdkafka": _librdkafka}[client]
    loop(bootstrap, topic, *map(int, numbers))
