"""Intake with everything that makes it safe, beside bare loops that only poll, on Apache Kafka itself."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from daemon.config.settings import LimitsSection
from daemon.domain.clock import utc_now
from daemon.intake.decoding import decode
from daemon.kafka import create_topic
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.database import open_ledger
from tests.benchmarks.bare_loop import CLIENTS, bare_cost
from tests.benchmarks.cost import Cost, together, typical
from tests.benchmarks.figures import show, tell
from tests.benchmarks.replica import Replica
from tests.benchmarks.stream import fill, some_values
from tests.factories.intake import kafka_settings
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.postgres_server import PostgresServer
from tests.support.helpers import eventually

_RECORDS, _PARTITIONS, _ROUNDS = 40_000, 6, 3
#: Enough for each of the replicas to get past what it does once, such as compiling statements.
_SHARED_RECORDS, _REPLICAS, _THEIR_PARTITIONS = 80_000, 4, 8


def replicas_cost(
    kafka: ApacheKafka,
    folder: Path,
    *,
    topic: str,
    ledger: str,
    values: list[bytes],
    partitions: int,
    replicas: int = 1,
    watching: bool = False,
) -> Cost:
    """What it takes replicas of a group to store records that are written once all have their partitions."""
    create_topic(kafka_settings(kafka.bootstrap, topic), topic, partitions=partitions)
    engine = open_ledger(ledger)
    stored = ConversationLedger(engine)
    running = [
        Replica(
            folder, bootstrap=kafka.bootstrap, topic=topic, ledger=ledger, partitions=partitions // replicas,
            watching=watching,
        ).start()
        for _ in range(replicas)
    ]  # fmt: skip
    for replica in running:
        replica.await_partitions()
    fill(kafka.bootstrap, topic, values, partitions=partitions)
    eventually(lambda: stored.last_seq() >= len(values), deadline_s=120)
    engine.dispose()
    return together([replica.stop() for replica in running])


@pytest.mark.timeout(600)
def test_intake(kafka: ApacheKafka, tmp_path: Path) -> None:
    costs: dict[str, list[Cost]] = {}
    for number in range(_ROUNDS):
        values, topic = list(some_values(_RECORDS, seed=number)), ""
        for watching, name in ((False, "intake"), (True, "intake and watching")):
            topic = f"intake-{number}-{watching}"
            ledger = f"sqlite:///{tmp_path / topic}.db"
            costs.setdefault(name, []).append(
                replicas_cost(
                    kafka, tmp_path, topic=topic, ledger=ledger, values=values, partitions=_PARTITIONS,
                    watching=watching,
                )
            )  # fmt: skip
        for client in CLIENTS:
            found = bare_cost(
                client, bootstrap=kafka.bootstrap, topic=topic, partitions=_PARTITIONS, records=_RECORDS
            )
            costs.setdefault(client, []).append(found)

    medians = {name: typical(rounds) for name, rounds in costs.items()}
    for name, cost in medians.items():
        tell(f"{name}: rate", cost.rate, "records/s")
        tell(f"{name}: processor time", cost.cpu_us, "µs a record")
    _compare(medians)


def _compare(medians: Mapping[str, Cost]) -> None:
    for ours in ("intake", "intake and watching"):
        for peer in CLIENTS:
            figures = {"ours": medians[ours].cpu_us, "peer": medians[peer].cpu_us}
            assert show(ours, **figures, unit="µs a record", peer_is=f"{peer} that only polls") > 0


@pytest.mark.timeout(600)
def test_four_replicas(kafka: ApacheKafka, postgres: PostgresServer, tmp_path: Path) -> None:
    costs: dict[int, list[Cost]] = {1: [], _REPLICAS: []}
    for number in range(_ROUNDS):
        values = list(some_values(_SHARED_RECORDS, seed=number))
        for replicas, rounds in costs.items():
            with postgres.database() as ledger:
                rounds.append(
                    replicas_cost(
                        kafka, tmp_path, topic=f"replicas-{number}-{replicas}", ledger=ledger, values=values,
                        partitions=_THEIR_PARTITIONS, replicas=replicas,
                    )
                )  # fmt: skip

    one, four = (typical(rounds) for rounds in costs.values())
    tell("one replica: rate", one.rate, "records/s")
    tell("four replicas: rate", four.rate, "records/s")
    assert (
        show("four replicas", ours=four.cpu_us, peer=one.cpu_us, unit="µs a record", peer_is="one replica")
        < 1.2
    )


def test_decoding() -> None:
    values, limits, now = list(some_values(5_000)), LimitsSection(), utc_now()
    seconds = []
    for value in values:
        started = time.perf_counter()
        decode(value, limits=limits, received_at=now)
        seconds.append(time.perf_counter() - started)

    p99 = sorted(seconds)[int(0.99 * len(seconds))]
    tell(f"decoding a record of {len(values[0])} bytes, p99", p99 * 1e6, "µs")
    assert p99 < 1e-3
