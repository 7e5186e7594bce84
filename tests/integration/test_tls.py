"""TLS to a real broker, behind a proxy that ends it: who is let in, and what the others are told."""

import gc
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from daemon.cli.doctor.check import Check
from daemon.config.loader import dump
from daemon.demo.broker import LocalBroker
from daemon.domain.streams import BrokerUnreachable, TopicPartition
from daemon.kafka import KafkaSink, KafkaSource, check_broker, create_topic, fetch_records
from daemon.kafka.settings import KafkaSettings
from tests.factories.cli import typed
from tests.factories.daemon import line_settings
from tests.factories.intake import kafka_settings
from tests.servers.brokers import Broker
from tests.servers.proxy import Proxy, Serve
from tests.servers.tls import Pem, ending_tls
from tests.support.helpers import eventually

# The client forgets to close the socket of a connection that was refused, or that it gives up; the collector does it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <(socket|daemon):ResourceWarning")


@pytest.fixture(autouse=True)
def sockets_are_collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pem")


@pytest.fixture(scope="module")
def server(folder: Path) -> Pem:
    return Pem.made(folder / "server", "127.0.0.1")


@pytest.fixture(scope="module")
def client(folder: Path) -> Pem:
    return Pem.made(folder / "client", "retuned")


@pytest.fixture(scope="module")
def stranger(folder: Path) -> Pem:
    return Pem.made(folder / "stranger", "kafka.example")


@contextmanager
def behind(serve: Serve) -> Iterator[str]:
    """The address of a proxy with a broker of its own behind it."""
    with Proxy(serve) as proxy, LocalBroker(advertised=proxy.address) as broker:
        proxy.upstream = broker.port
        yield proxy.address


@pytest.fixture
def secured(server: Pem) -> Iterator[str]:
    with behind(ending_tls(server)) as address:
        yield address


@pytest.fixture
def mutual(server: Pem, client: Pem) -> Iterator[str]:
    with behind(ending_tls(server, clients_of=client)) as address:
        yield address


def over_tls(address: str, topic: str, *, trusting: Pem | None, showing: Pem | None = None) -> KafkaSettings:
    return replace(
        kafka_settings(address, topic),
        security_protocol="SSL",
        ssl_cafile=str(trusting.authority) if trusting else None,
        ssl_certfile=str(showing.certificate) if showing else None,
        ssl_keyfile=str(showing.key) if showing else None,
    )


def goes_both_ways(settings: KafkaSettings) -> None:
    """Make a topic, write to it, read from it, and read a single record again."""
    assert check_broker(settings) == 1
    assert create_topic(settings, settings.topic, partitions=1)
    sink = KafkaSink(settings)
    sink.send(settings.topic, b"k", "你好".encode())
    assert sink.close(10)
    source = KafkaSource(settings, start_offsets=lambda _: {})
    try:
        assert [record.value for record in eventually(lambda: source.poll(0.2), 20)] == ["你好".encode()]
    finally:
        source.close(2)
    again = fetch_records(settings, {TopicPartition(settings.topic, 0): [0]})
    assert [record.value for record in again] == ["你好".encode()]


def test_records_go_both_ways_over_tls(secured: str, server: Pem, topic: str) -> None:
    goes_both_ways(over_tls(secured, topic, trusting=server))


def test_records_go_both_ways_with_a_client_certificate(
    mutual: str, server: Pem, client: Pem, topic: str
) -> None:
    goes_both_ways(over_tls(mutual, topic, trusting=server, showing=client))


def test_a_certificate_and_its_key_may_be_in_one_file(
    mutual: str, server: Pem, client: Pem, topic: str, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(client.key.read_bytes() + client.certificate.read_bytes())
    settings = replace(over_tls(mutual, topic, trusting=server), ssl_certfile=str(both))

    assert check_broker(settings) == 1


def test_renewed_files_are_used_without_a_restart(
    secured: str, server: Pem, stranger: Pem, topic: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(stranger.authority.read_bytes())
    settings = replace(over_tls(secured, topic, trusting=server), ssl_cafile=str(trusted))
    source = KafkaSource(settings, start_offsets=lambda _: {})
    try:
        eventually(lambda: bool(source.poll(0.1)) or "CERTIFICATE_VERIFY_FAILED" in caplog.text, 20)
        trusted.write_bytes(server.authority.read_bytes())
        eventually(lambda: bool(source.poll(0.1)) or source.connected, 20)
    finally:
        source.close(2)


@pytest.mark.parametrize("content", [None, b"junk"])
def test_a_file_that_is_spoilt_while_running_is_named(
    secured: str, server: Pem, topic: str, tmp_path: Path, content: bytes | None
) -> None:
    spoilt = tmp_path / "spoilt.pem"
    if content is not None:
        spoilt.write_bytes(content)
    settings = replace(over_tls(secured, topic, trusting=server), ssl_cafile=str(spoilt))

    with pytest.raises(
        BrokerUnreachable, match=r"check kafka\.ssl_cafile, kafka\.ssl_certfile and kafka\.ssl_keyfile"
    ):
        check_broker(settings, timeout_s=1)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Settings that a port refuses, and what must be said about it."""

    settings: KafkaSettings
    words: str


@pytest.fixture(
    params=[
        "authority",
        "system's authorities",
        "host name",
        "no certificate",
        "certificate",
        "plaintext",
        "no TLS",
    ]
)
def refusal(
    request: pytest.FixtureRequest, server: Pem, client: Pem, stranger: Pem, broker: Broker
) -> Iterator[Refusal]:
    """Each way to be refused. Nothing gets past the handshake, so the proxy needs no broker."""
    shown, clients_of = (stranger if request.param == "host name" else server), None
    if "certificate" in request.param:
        clients_of = client
    with Proxy(ending_tls(shown, clients_of=clients_of)) as proxy:
        at = proxy.address
        known = over_tls(at, "t", trusting=server)
        yield {
            "authority": Refusal(
                over_tls(at, "t", trusting=stranger),
                rf"no authority in {stranger.authority} signed .*: set kafka\.ssl_cafile",
            ),
            "system's authorities": Refusal(
                over_tls(at, "t", trusting=None),
                r"no authority that this system trusts .*: set kafka\.ssl_cafile",
            ),
            "host name": Refusal(
                over_tls(at, "t", trusting=stranger),
                r"not valid for '127\.0\.0\.1'.* use one of them in kafka\.bootstrap_servers",
            ),
            "no certificate": Refusal(
                known, r"asks for a client certificate: set kafka\.ssl_certfile and kafka\.ssl_keyfile"
            ),
            "certificate": Refusal(
                over_tls(at, "t", trusting=server, showing=stranger),
                rf"refuses {stranger.certificate}: set kafka\.ssl_certfile",
            ),
            "plaintext": Refusal(
                kafka_settings(at, "t"), r"hung up; .* TLS or a password: set kafka\.security_protocol"
            ),
            "no TLS": Refusal(
                over_tls(broker.bootstrap, "t", trusting=server),
                r"may not speak TLS: name the TLS port, or set kafka\.security_protocol to PLAINTEXT",
            ),
        }[request.param]


def test_an_admin_command_says_in_time_why_it_is_refused(refusal: Refusal) -> None:
    start = time.monotonic()

    with pytest.raises(BrokerUnreachable, match=refusal.words):
        check_broker(refusal.settings, timeout_s=2)

    assert time.monotonic() - start < 10


def test_reading_says_once_in_the_log_why_it_is_refused(
    refusal: Refusal, caplog: pytest.LogCaptureFixture
) -> None:
    source = KafkaSource(refusal.settings, start_offsets=lambda _: {})
    try:
        eventually(lambda: bool(source.poll(0.1)) or bool(_said(caplog)), 15)
        assert source.poll(1.5) == []
    finally:
        source.close(2)

    assert [re.search(refusal.words, text) is not None for text in _said(caplog)] == [True]


def test_writing_says_in_the_log_why_it_is_refused(
    refusal: Refusal, caplog: pytest.LogCaptureFixture
) -> None:
    sink = KafkaSink(refusal.settings)
    sink.send("t", None, b"1")
    try:
        eventually(
            lambda: sink.flush(0.5) or any(re.search(refusal.words, text) for text in _said(caplog)), 15
        )
    finally:
        assert not sink.close(1)


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("daemon.kafka")]


def examined(folder: Path, address: str, topic: str, **tls: Path) -> Check:
    """What doctor finds about the broker."""
    names = {"bootstrap_servers": [address], "topic": topic, "dead_letter_topic": f"{topic}-dead"}
    settings = line_settings(folder, kafka={**names, "security_protocol": "SSL", **tls})
    config = folder / "retuned.yaml"
    config.write_text(dump(settings), encoding="utf-8")
    return Check(
        **typed("--config", str(config), "doctor", "--create-topics", "--json").document["checks"][0]
    )


def test_doctor_uses_the_certificates(
    mutual: str, server: Pem, client: Pem, topic: str, tmp_path: Path
) -> None:
    files = {"ssl_cafile": server.authority, "ssl_certfile": client.certificate, "ssl_keyfile": client.key}

    assert examined(tmp_path, mutual, topic, **files).ok


def test_doctor_says_why_tls_is_refused(secured: str, stranger: Pem, topic: str, tmp_path: Path) -> None:
    check = examined(tmp_path, secured, topic, ssl_cafile=stranger.authority)

    assert not check.ok
    assert "CERTIFICATE_VERIFY_FAILED" in check.found
    assert "set kafka.ssl_cafile" in check.found


def test_doctor_names_a_file_that_is_not_there(topic: str, tmp_path: Path) -> None:
    check = examined(tmp_path, "127.0.0.1:1", topic, ssl_cafile=tmp_path / "none.pem")

    assert (check.subject, check.ok) == ("broker", False)
    assert check.found == (
        f"{tmp_path}/none.pem: kafka.ssl_cafile: can't be read: No such file or directory; check the path"
    )
