"""A replica's own work in a process of its own: intake, and in a leader watching, without the children.

It says ``ready`` once it has its partitions, reads until its standard input ends, and prints what that took.
"""

import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from daemon.config.settings import KafkaSection, Settings
from daemon.domain.clock import utc_now
from daemon.domain.streams import Start, StartOffsets, TopicPartition
from daemon.intake.router import Router
from daemon.intake.stage import IntakeStage
from daemon.kafka import KafkaSource
from daemon.ledger.database import open_ledger
from daemon.ledger.stores import Stores
from daemon.runtime.build_leader import build_detect_stage
from daemon.runtime.garbage_collector import relax_garbage_collector
from daemon.runtime.kafka_settings import load_kafka_settings
from daemon.runtime.stage import Stage
from daemon.telemetry.metrics import Metrics
from tests.benchmarks.cost import Cost, Meter, told
from tests.factories.stores import some_settings, some_stores


class Replica:
    """The process, seen from the benchmark."""

    def __init__(
        self,
        folder: Path,
        *,
        bootstrap: str,
        topic: str,
        ledger: str,
        partitions: int,
        watching: bool = False,
    ) -> None:
        """``partitions``: how many of them it gets."""
        stages = "watching" if watching else "intake"
        words = [str(folder), bootstrap, topic, ledger, str(partitions), stages]
        self._command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.replica", *words]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def await_partitions(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def stop(self) -> Cost:
        """End it, and return what it took to read all that it has read."""
        assert self._process is not None
        output, _ = self._process.communicate(timeout=60)
        return told(output)


def _read(folder: Path, bootstrap: str, topic: str, ledger: str, partitions: int, *, watching: bool) -> None:
    settings = some_settings(
        folder, kafka=KafkaSection(bootstrap_servers=(bootstrap,), topic=topic, group_id=f"of-{topic}")
    )
    stores, metrics = some_stores(open_ledger(ledger), settings), Metrics()
    source = KafkaSource(load_kafka_settings(settings), start_offsets=_starts_of(stores))
    intake = IntakeStage(
        source, stores, Router(settings, stores.holdout),
        metrics=metrics, clock=utc_now, poll_s=0.2, wait=lambda _: None,
    )  # fmt: skip
    stages: list[Stage] = [intake]
    if watching:
        stages.append(_watching(settings, stores, metrics))
    relax_garbage_collector()
    while len(source.lag() or ()) < partitions:
        intake.step()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    _run(stages, metrics)
    intake.close(5)


def _watching(settings: Settings, stores: Stores, metrics: Metrics) -> Stage:
    """The detector, on a reference that the first conversations fill."""
    stores.references.start("v0", size=settings.windows.reference_size, after_seq=0, now=utc_now())
    return build_detect_stage(settings, stores, metrics)


def _starts_of(stores: Stores) -> StartOffsets:
    def starts(assigned: Iterable[TopicPartition]) -> Mapping[TopicPartition, Start]:
        known = stores.intake.starts()
        return {source: known[source] for source in assigned if source in known}

    return starts


def _run(stages: list[Stage], metrics: Metrics) -> None:
    stopped = threading.Event()
    threading.Thread(target=_await_end, args=(stopped,), daemon=True).start()
    counted, meter = metrics.intake.records("conversation"), Meter()
    while not stopped.is_set():
        for stage in stages:
            stage.step()
        if new := int(counted._value.get()) - meter.seen:  # the library has no public way
            meter.add(new)
    meter.tell()


def _await_end(stopped: threading.Event) -> None:
    sys.stdin.read()
    stopped.set()


if __name__ == "__main__":
    folder, bootstrap, topic, ledger, partitions, stages = sys.argv[1:]
    _read(Path(folder), bootstrap, topic, ledger, int(partitions), watching=stages == "watching")
