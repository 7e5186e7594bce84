"""Replicas that join a group under load, and die."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.e2e.kafka_faults.acknowledged_load import AcknowledgedLoad
from tests.e2e.kafka_faults.sizes import RATE, only_soak
from tests.e2e.kafka_faults.trial import Trial
from tests.e2e.replica_set import a_replica
from tests.e2e.stream import Stream
from tests.servers.apache_kafka import ApacheKafka

pytestmark = pytest.mark.timeout(600)

JOINING = 3


@only_soak
def test_replicas_join_and_die(
    apache_kafka: ApacheKafka,
    tiny_model: Path,
    tmp_path: Path,
    ledger: str,
    engine: Engine,
    record_property: Callable[[str, object], None],
) -> None:
    key = tmp_path / "holdout.key"
    key.write_text("k" * 32)
    stream = Stream(apache_kafka, "joined", partitions=6)
    replicas = [
        a_replica(number, stream, apache_kafka, tiny_model, tmp_path, ledger, key)
        for number in range(1 + JOINING)
    ]
    with ExitStack() as running:
        first = running.enter_context(replicas[0])
        load = AcknowledgedLoad(stream.settings, rate=RATE // 2)
        trial = Trial(stream, first, engine, load=load)
        with trial.running():
            trial.goes_on()
            for joined in replicas[1:]:
                running.enter_context(joined)
                trial.goes_on()
                joined.kill()
                trial.goes_on()
        outcome = trial.conclude(f"replicas that join and die, {JOINING} times", record_property)
        assert first.stop() == 0
    assert outcome.not_ready_s == 0
