"""What an installation takes: disk, start, memory, series on /metrics, and the time until another replica leads."""

import importlib.metadata
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGSTOP, Signals

import orjson
import psutil
import pytest
from sqlalchemy import Engine

from daemon.ledger.decisions import DecisionLedger
from tests.benchmarks.figures import tell
from tests.e2e.daemon_process import DaemonProcess, samples_of
from tests.e2e.replica_set import a_replica, leaders
from tests.e2e.stream import Stream
from tests.servers.brokers import Broker
from tests.support.helpers import eventually

ROOT = Path(__file__).parents[2]
HOSTILE = 10_000
_MB = 10**6


@pytest.fixture
def stream(kafka: Broker) -> Stream:
    return Stream(kafka, f"sizing-{time.monotonic_ns()}", partitions=3)


@pytest.fixture
def replicas(
    stream: Stream,
    kafka: Broker,
    tiny_model: Path,
    tmp_path: Path,
    ledger: str,
) -> Iterator[list[DaemonProcess]]:
    """Three, with the lease and the session time-outs of the default settings."""
    key = tmp_path / "holdout.key"
    key.write_text("k" * 32)
    with ExitStack() as running:
        yield [
            running.enter_context(
                a_replica(number, stream, kafka, tiny_model, tmp_path, ledger, key, leader={})
            )
            for number in range(3)
        ]


def test_the_layers_of_the_image() -> None:
    """Their files, uncompressed, as pip lists them."""
    for layer, name in (("torch with CUDA", "requirements-cuda.txt"), ("other packages", "requirements.txt")):
        text = (ROOT / "deploy" / "image" / name).read_text(encoding="utf-8")
        tell(layer, sum(map(size, re.findall(r"^([\w.-]+)==", text, flags=re.MULTILINE))) / _MB, "MB")
    files = (
        file for part in ("daemon", "monitors", "learners", "registry") for file in (ROOT / part).rglob("*")
    )
    tell("retuned", sum(file.stat().st_size for file in files if file.is_file()) / _MB, "MB")


def size(distribution: str) -> int:
    """Bytes of an installed distribution's files; 0 where it is not installed here."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return 0
    places = (Path(str(file.locate())) for file in files)
    return sum(place.stat().st_size for place in places if place.is_file())


def test_start_and_idle_memory(replicas: list[DaemonProcess]) -> None:
    """The third replica is started again while the other two go on."""
    again = replicas[2]
    seconds = []
    for _ in range(3):
        again.stop()
        began = time.monotonic()
        again.start()
        seconds.append(time.monotonic() - began)
    tell("from start to /readyz, follower", min(seconds), "s")
    [leader] = leaders(replicas)
    for role, replica in (("leader", leader), ("follower", again)):
        eventually(partial(idle, replica), deadline_s=60)
        memory = psutil.Process(replica.process.pid).memory_full_info()
        tell(f"memory of an idle {role} without its children, resident", memory.rss / _MB, "MB")
        tell(f"memory of an idle {role} without its children, its own alone", memory.uss / _MB, "MB")
        assert memory.rss < 250 * _MB


def idle(replica: DaemonProcess) -> bool:
    """Whether it has taken no more than a tenth of a core for two seconds: what it starts with is done."""
    return psutil.Process(replica.process.pid).cpu_percent(interval=2) < 10


def test_series_after_hostile_values(replicas: list[DaemonProcess], stream: Stream) -> None:
    """Ten thousand names each of topics, versions, tenants and users in what producers write add no series."""
    stream.send(*(a_hostile_record(number) for number in range(100)))
    eventually(lambda: consumed(replicas) >= 100, deadline_s=60)
    before = [series(replica) for replica in replicas]
    stream.send(*(a_hostile_record(number) for number in range(100, HOSTILE)))
    eventually(lambda: consumed(replicas) >= HOSTILE, deadline_s=240)
    after = [series(replica) for replica in replicas]
    tell("series on /metrics of a leader", max(after), "series")
    assert max(after) <= max(before) * 1.05 + 10


def a_hostile_record(number: int) -> bytes:
    return orjson.dumps(
        {
            "conversation_id": f"c{number}",
            "at": "2026-11-30T12:00:00Z",
            "user_id": f"user-{number}",
            "tenant": f"tenant-{number}",
            "topic": f"topic-{number}",
            "model_version": f"tiny-v{number}",
            "language": f"x{number}",
            f"field-{number}": number,
            "messages": [
                {"role": "user", "content": f"q {number}"},
                {"role": "assistant", "content": f"a {number}"},
            ],
        }
    )


def series(replica: DaemonProcess) -> int:
    return len(samples_of(replica.get("/metrics")))


def consumed(replicas: list[DaemonProcess]) -> float:
    name = "retuned_intake_records_total"
    found = (sample for replica in replicas for sample in samples_of(replica.get("/metrics")))
    return sum(sample.value for sample in found if sample.name == name)


@pytest.mark.parametrize(
    ("what", "signalled"), [("SIGKILL of the leader", SIGKILL), ("the loss of its node", SIGSTOP)]
)
def test_another_replica_decides(
    replicas: list[DaemonProcess], engine: Engine, what: str, signalled: Signals
) -> None:
    """Until the decision on a training that was asked for right after.

    Processes of one machine see that the leader was killed; one that stands still looks as one of a lost node does.
    """
    [old] = leaders(replicas)
    others = [replica for replica in replicas if replica is not old]
    decisions = DecisionLedger(engine)
    before = len(decisions.recent(100))
    old.process.send_signal(signalled)
    began = time.monotonic()
    others[0].retuned("train", "-m", "sizing")
    eventually(lambda: len(decisions.recent(100)) > before, deadline_s=90)
    tell(f"from {what} to the next decision", time.monotonic() - began, "s")
    assert leaders(others)
