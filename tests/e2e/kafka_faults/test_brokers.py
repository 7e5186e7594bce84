"""Brokers that are killed, stopped or frozen under a real daemon."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.kafka_faults.cluster_state import await_all_replicas
from tests.e2e.kafka_faults.sizes import FULL, RATE, only_soak
from tests.e2e.kafka_faults.trial import a_trial
from tests.servers.apache_kafka import ApacheKafka, Node
from tests.support.helpers import eventually

pytestmark = [
    pytest.mark.timeout(600),
    # The client forgets to close the socket of a connection that was refused; the collector does it.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

KILLS = 3 if FULL else 1
_GONE_S, _FROZEN_S = 60, 100


def test_the_only_broker_is_killed_and_comes_back(
    one_broker: ApacheKafka, tiny_model: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    [node] = one_broker.nodes
    with a_trial(one_broker, tiny_model, tmp_path, topic="killed") as trial:
        with trial.running():
            for _ in range(KILLS):
                trial.goes_on(further=3 * RATE)
                node.kill()
                eventually(lambda: not trial.daemon.ready(), deadline_s=30)
                node.start()
            trial.goes_on()
        trial.conclude(f"the only broker killed, {KILLS} times", record_property)


@pytest.mark.parametrize(
    "end", [pytest.param(Node.stop, id="SIGTERM", marks=only_soak), pytest.param(Node.kill, id="SIGKILL")]
)
def test_three_brokers_are_restarted_in_turn(
    three_brokers: ApacheKafka,
    tiny_model: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    request: pytest.FixtureRequest,
    end: Callable[[Node], None],
) -> None:
    name = "SIGKILL" if end is Node.kill else "SIGTERM"
    with a_trial(three_brokers, tiny_model, tmp_path, topic="rolling") as trial:
        with trial.running():
            trial.goes_on()
            for node in three_brokers.nodes:
                end(node)
                trial.goes_on()
                node.start()
                await_all_replicas(three_brokers)
            trial.goes_on()
        outcome = trial.conclude(f"three brokers restarted in turn by {name}", record_property)
    assert outcome.not_ready_s == 0


@only_soak
def test_two_of_three_brokers_are_gone_for_a_minute(
    three_brokers: ApacheKafka,
    tiny_model: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    _, two, three = three_brokers.nodes
    with a_trial(three_brokers, tiny_model, tmp_path, topic="two-gone") as trial:
        with trial.running():
            trial.goes_on()
            two.kill()
            three.kill()
            time.sleep(_GONE_S)
            two.launch()
            three.launch()
            trial.goes_on(deadline_s=180)
            await_all_replicas(three_brokers)
            trial.goes_on()
        trial.conclude(f"two of three brokers gone for {_GONE_S} s", record_property)


@only_soak
def test_a_broker_is_frozen(
    one_broker: ApacheKafka, tiny_model: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    [node] = one_broker.nodes
    with a_trial(one_broker, tiny_model, tmp_path, topic="frozen") as trial:
        with trial.running():
            trial.goes_on()
            node.freeze()
            time.sleep(_FROZEN_S)
            node.thaw()
            trial.goes_on(deadline_s=120)
        trial.conclude(f"the only broker frozen for {_FROZEN_S} s", record_property)
