"""Reads a topic in a process of its own, and prints what it got and how much memory it took at most."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from daemon.domain.streams import IntakeMustHalt
from daemon.kafka import KafkaSource
from tests.factories.intake import kafka_settings
from tests.support.helpers import eventually


def _peak_bytes() -> int:
    """Of this program alone: what the system's rusage tells includes the one that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    bootstrap, topic, limit, count = sys.argv[1:]
    settings = replace(kafka_settings(bootstrap, topic), max_batch_bytes=int(limit))
    source = KafkaSource(settings, start_offsets=lambda _: {})
    offsets: list[int] = []
    error = None
    before = _peak_bytes()
    try:
        while len(offsets) < int(count):
            records = eventually(lambda: source.poll(0.2), deadline_s=30)
            offsets += [record.offset for record in records]
            del records
    except IntakeMustHalt as halt:
        error = f"{type(halt).__name__}: {halt}"
    finally:
        source.close(2)
    json.dump({"offsets": offsets, "error": error, "took": _peak_bytes() - before}, sys.stdout)


main()
