"""SASL to a real broker, behind a proxy that asks for a password and checks it as Kafka does."""

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.demo.broker import LocalBroker
from daemon.domain.streams import BrokerUnreachable
from daemon.kafka import KafkaSink, KafkaSource, check_broker, create_topic
from daemon.kafka.settings import KafkaSettings
from daemon.runtime.kafka_settings import load_kafka_settings
from tests.factories.daemon import line_settings
from tests.servers.brokers import Broker
from tests.servers.proxy import Proxy
from tests.servers.sasl import SaslGate
from tests.servers.tls import Pem, ending_tls
from tests.support.helpers import eventually

# The client forgets to close the socket of a connection that was refused; the collector does it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
USER, PASSWORD = "调谐", "pass, word=1"


@pytest.fixture(autouse=True)
def sockets_are_collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def gate() -> SaslGate:
    return SaslGate(USER, PASSWORD)


@pytest.fixture
def address(gate: SaslGate) -> Iterator[str]:
    """A broker that asks for a password."""
    with guarded(gate) as (port, _):
        yield f"127.0.0.1:{port}"


@contextmanager
def guarded(gate: SaslGate, *, advertised: str | None = None) -> Iterator[tuple[int, LocalBroker]]:
    with Proxy(gate.serve) as proxy, LocalBroker(advertised=advertised or proxy.address) as broker:
        proxy.upstream = broker.port
        yield proxy.port, broker


@pytest.fixture
def settings(tmp_path: Path, address: str, topic: str) -> Callable[..., KafkaSettings]:
    """Makes settings as an operator writes them, the password in a file."""

    def written(mechanism: str, *, password: str = PASSWORD, **changes: object) -> KafkaSettings:
        (tmp_path / "password").write_text(f"{password}\n", encoding="utf-8")
        kafka = {
            "bootstrap_servers": [address], "topic": topic, "group_id": topic,
            "session_timeout_ms": 1200, "heartbeat_interval_ms": 400,
            "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism, "sasl_username": USER,
            "sasl_password_file": tmp_path / "password",
        }  # fmt: skip
        return load_kafka_settings(line_settings(tmp_path, kafka=kafka | changes))

    return written


def goes_both_ways(settings: KafkaSettings) -> None:
    assert create_topic(settings, settings.topic, partitions=1)
    sink = KafkaSink(settings)
    sink.send(settings.topic, None, b"1")
    assert sink.close(10)
    source = KafkaSource(settings, start_offsets=lambda _: {})
    try:
        assert [record.value for record in eventually(lambda: source.poll(0.2), 20)] == [b"1"]
    finally:
        source.close(2)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_mechanism_user_and_password_arrive_as_they_were_set(
    settings: Callable[..., KafkaSettings], gate: SaslGate, mechanism: str
) -> None:
    goes_both_ways(settings(mechanism))

    assert set(gate.attempts) == {(mechanism, USER, True)}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_is_refused_by_name_and_does_not_show(
    settings: Callable[..., KafkaSettings], gate: SaslGate, mechanism: str
) -> None:
    with pytest.raises(
        BrokerUnreachable, match=rf"refuses user {USER} by {mechanism}: check kafka\.sasl_mechanism"
    ) as refused:
        check_broker(settings(mechanism, password="hunter2"), timeout_s=2)

    assert "hunter2" not in str(refused.value)
    assert set(gate.attempts) == {(mechanism, USER, False)}


def test_reading_says_once_that_the_password_is_wrong(
    settings: Callable[..., KafkaSettings], caplog: pytest.LogCaptureFixture
) -> None:
    source = KafkaSource(settings("PLAIN", password="hunter2"), start_offsets=lambda _: {})
    try:
        eventually(lambda: bool(source.poll(0.1)) or "refuses user" in caplog.text, 15)
        assert source.poll(1.5) == []
    finally:
        source.close(2)

    assert len(re.findall("refuses user", caplog.text)) == 1
    assert "hunter2" not in caplog.text


def test_a_broker_that_wants_a_password_and_gets_none_is_told_from_one_that_is_gone(
    settings: Callable[..., KafkaSettings], caplog: pytest.LogCaptureFixture
) -> None:
    none = {
        "security_protocol": "PLAINTEXT",
        "sasl_mechanism": None,
        "sasl_username": None,
        "sasl_password_file": None,
    }
    without = settings("PLAIN", **none)

    with pytest.raises(BrokerUnreachable, match=r"hung up; .* a password: set kafka\.security_protocol"):
        check_broker(without, timeout_s=2)
    source = KafkaSource(without, start_offsets=lambda _: {})
    try:
        eventually(lambda: bool(source.poll(0.1)) or "hung up" in caplog.text, 15)
    finally:
        source.close(2)


def test_a_broker_without_sasl_refuses_the_mechanism(
    settings: Callable[..., KafkaSettings], broker: Broker
) -> None:
    with pytest.raises(BrokerUnreachable, match="and that the port asks for SASL"):
        check_broker(settings("PLAIN", bootstrap_servers=[broker.bootstrap]), timeout_s=2)


def test_a_password_goes_inside_tls(
    settings: Callable[..., KafkaSettings], gate: SaslGate, tmp_path: Path
) -> None:
    server = Pem.made(tmp_path / "server", "127.0.0.1")
    with Proxy(ending_tls(server)) as tls, guarded(gate, advertised=tls.address) as (port, _):
        tls.upstream = port
        secured = {"security_protocol": "SASL_SSL", "ssl_cafile": server.authority}

        goes_both_ways(settings("SCRAM-SHA-512", bootstrap_servers=[tls.address], **secured))

    assert set(gate.attempts) == {("SCRAM-SHA-512", USER, True)}
