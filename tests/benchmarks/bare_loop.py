"""The peer of the intake benchmark: kafka-python's poll and orjson.loads, nothing checked, nothing kept.

In a process of its own, as kafka-python chooses its checksum when it is imported: in Python, as it is installed by
itself, or in C where the package crc32c is there (retuned asks for it).
"""

import subprocess
import sys

import orjson

from daemon.kafka.settings import KafkaSettings


def bare_rate(settings: KafkaSettings, records: int, *, c_checksum: bool) -> float:
    """Records a second."""
    words = [settings.bootstrap_servers[0], settings.topic, str(records), "c" if c_checksum else "python"]
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.bare_loop", *words]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


def main(server: str, topic: str, records: int, checksum: str) -> None:
    """Print records a second, from the first record on."""
    if checksum == "python":
        sys.modules["crc32c"] = None  # type: ignore[assignment] # as if it were not installed
    import time

    from kafka import KafkaConsumer  # type: ignore[import-untyped]

    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=[server],
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    seen, started = 0, 0.0
    while seen < records:
        for found in consumer.poll(200).values():
            started = started or time.monotonic()
            for record in found:
                orjson.loads(record.value)
            seen += len(found)
    print(records / (time.monotonic() - started))  # noqa: T201 - its answer
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
