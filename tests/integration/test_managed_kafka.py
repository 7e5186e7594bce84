"""Ways to log in, on Apache Kafka itself: passwords, tokens that are renewed, certificates that are replaced."""

import gc
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pytest
from cryptography.hazmat.primitives import serialization

from daemon.config.loader import dump
from daemon.config.settings import Settings
from daemon.domain.streams import BrokerUnreachable, RawRecord, Start, TopicPartition
from daemon.kafka import KafkaSink, KafkaSource, check_broker, create_topic
from daemon.kafka.settings import KafkaSettings
from daemon.runtime.kafka_settings import load_kafka_settings
from daemon.telemetry.logs import configure_logging
from tests.factories.cli import typed
from tests.factories.daemon import line_settings
from tests.servers.apache_kafka import ApacheKafka, Listener
from tests.servers.tls import Pem
from tests.servers.token_server import AUDIENCE, ISSUER, Issuer, TokenServer, as_json
from tests.support.helpers import eventually
from tests.support.reading import Ledger, Member, fill, polled, read_on, source_of

# The client forgets to close the socket of a connection that was refused; the collector does it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <(socket|daemon|ssl):ResourceWarning")

USER, PASSWORD = "retuned", "pass word=1"
PASSWORDS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_MODULES = "org.apache.kafka.common.security"
_SECURED = f"{_MODULES}.oauthbearer"
#: Of a token and of a session: short, so that several are renewed within a test.
_LIFE_S, _SESSION_S, _TOKENS = 8, 5, 3


@pytest.fixture(autouse=True)
def sockets_are_collected() -> Iterator[None]:
    yield
    gc.collect()


@dataclass(frozen=True, slots=True)
class Stores:
    """Files of the broker: its key with its certificate, and the authority of its clients."""

    keys: Path
    trusted: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        return cls(folder / "keys.pem", folder / "trusted.pem")


def client_files(folder: Path) -> Pem:
    """The client's files: the authority of the broker, its own certificate and key."""
    return Pem(*(folder / name for name in ("authority.pem", "certificate.pem", "key.pem")))


def certify(stores: Stores, client: Pem, folder: Path) -> None:
    """Write new certificates of both sides into their files. Each side has an authority of its own."""
    broker, issued = Pem.made(folder / "broker", "127.0.0.1"), Pem.made(folder / "client", "retuned")
    key = serialization.load_pem_private_key(broker.key.read_bytes(), password=None)
    pkcs8 = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    stores.keys.write_bytes(pkcs8 + broker.certificate.read_bytes())
    stores.trusted.write_bytes(issued.authority.read_bytes())
    client.authority.write_bytes(broker.authority.read_bytes())
    client.certificate.write_bytes(issued.certificate.read_bytes())
    client.key.write_bytes(issued.key.read_bytes())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Pem:
    return client_files(tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def tokens(issuer: Issuer) -> Iterator[TokenServer]:
    with TokenServer(issuer) as server:
        yield server


@pytest.fixture(autouse=True)
def issuer_is_as_it_was(issuer: Issuer) -> Iterator[None]:
    yield
    issuer.instead, issuer.life_s, issuer.audience, issuer.secret = None, 3_600, AUDIENCE, Issuer().secret
    issuer.requests.clear()
    issuer.tokens.clear()


@pytest.fixture(scope="module")
def kafka(
    tmp_path_factory: pytest.TempPathFactory, client: Pem, tokens: TokenServer
) -> Iterator[ApacheKafka]:
    folder = tmp_path_factory.mktemp("broker")
    stores = Stores.in_folder(folder)
    certify(stores, client, folder / "made")
    scram = [f"{name}=[name={USER},password={PASSWORD}]" for name in PASSWORDS if name.startswith("SCRAM")]
    with ApacheKafka(
        listeners=[_passwords(), _oauth(tokens), _mutual(stores)],
        java_options=(
            "-Xmx300m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={tokens.keys_url}",
        ),
        format_options=[word for one in scram for word in ("--add-scram", one)],
    ) as broker:
        yield broker


def _passwords() -> Listener:
    plain = f'{_MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
    scram = f"{_MODULES}.scram.ScramLoginModule required;"
    mechanisms = {f"{name.lower()}.sasl.jaas.config": scram for name in PASSWORDS}
    return Listener(
        name="PASSWORDS",
        protocol="SASL_PLAINTEXT",
        settings={
            "sasl.enabled.mechanisms": ",".join(PASSWORDS),
            **mechanisms,
            "plain.sasl.jaas.config": plain,
        },
    )


def _oauth(tokens: TokenServer) -> Listener:
    """Checks signature, issuer and audience of tokens, and ends sessions."""
    return Listener(
        name="OAUTH",
        protocol="SASL_PLAINTEXT",
        settings={
            "sasl.enabled.mechanisms": "OAUTHBEARER",
            "oauthbearer.sasl.jaas.config": f"{_SECURED}.OAuthBearerLoginModule required;",
            "oauthbearer.sasl.server.callback.handler.class": f"{_SECURED}.OAuthBearerValidatorCallbackHandler",
            "oauthbearer.connections.max.reauth.ms": str(_SESSION_S * 1000),
            "sasl.oauthbearer.jwks.endpoint.url": tokens.keys_url,
            "sasl.oauthbearer.expected.issuer": ISSUER,
            "sasl.oauthbearer.expected.audience": AUDIENCE,
        },
    )


def _mutual(stores: Stores) -> Listener:
    return Listener(
        name="MUTUAL",
        protocol="SSL",
        settings={
            "ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(stores.keys),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(stores.trusted),
        },
    )


@pytest.fixture
def names(topic: str) -> dict[str, object]:
    """A topic and a group of the test's own. Kafka allows sessions this short where it is told to."""
    return {
        "topic": topic,
        "dead_letter_topic": f"{topic}-dead",
        "group_id": topic,
        "session_timeout_ms": 1_500,
        "heartbeat_interval_ms": 500,
    }


@pytest.fixture
def by_password(kafka: ApacheKafka, names: dict[str, object], tmp_path: Path) -> Callable[..., Settings]:
    """Settings as an operator writes them, the password in a file."""

    def written(mechanism: str, *, password: str = PASSWORD) -> Settings:
        file = tmp_path / "password"
        file.write_text(f"{password}\n", encoding="utf-8")
        sasl = {"sasl_mechanism": mechanism, "sasl_username": USER, "sasl_password_file": file}
        section = {"bootstrap_servers": [kafka.address("PASSWORDS")], "security_protocol": "SASL_PLAINTEXT"}
        return line_settings(tmp_path, kafka={**names, **section, **sasl})

    return written


@pytest.fixture
def secret(issuer: Issuer, tmp_path: Path) -> Path:
    """The file with the client's secret."""
    file = tmp_path / "secret"
    file.write_text(f"{issuer.secret}\n", encoding="utf-8")
    return file


@pytest.fixture
def by_token(
    kafka: ApacheKafka,
    issuer: Issuer,
    tokens: TokenServer,
    names: dict[str, object],
    secret: Path,
    tmp_path: Path,
) -> Settings:
    """Settings as an operator writes them, the secret in a file."""
    oauth = {
        "sasl_mechanism": "OAUTHBEARER",
        "oauth_token_url": tokens.token_url,
        "oauth_client_id": issuer.client_id,
        "oauth_client_secret_file": secret,
        "oauth_extensions": {"logicalCluster": "lkc-1", "identityPoolId": "pool-1"},
    }
    section = {"bootstrap_servers": [kafka.address("OAUTH")], "security_protocol": "SASL_PLAINTEXT"}
    return line_settings(tmp_path, kafka={**names, **section, **oauth})


def by_certificate(names: dict[str, object], address: str, client: Pem) -> KafkaSettings:
    """Settings for mutual TLS."""
    tls = {"ssl_cafile": client.authority, "ssl_certfile": client.certificate, "ssl_keyfile": client.key}
    section = {"bootstrap_servers": [address], "security_protocol": "SSL"}
    return load_kafka_settings(line_settings(client.key.parent, kafka={**names, **section, **tls}))


def goes_both_ways(settings: KafkaSettings) -> None:
    assert create_topic(settings, settings.topic, partitions=1)
    fill(settings, b"1", b"2")
    source = source_of(settings)
    try:
        assert [record.value for record in polled(source, 2)] == [b"1", b"2"]
    finally:
        source.close(2)


def refusal(settings: KafkaSettings) -> str:
    with pytest.raises(BrokerUnreachable) as refused:
        check_broker(settings, timeout_s=2)
    return str(refused.value)


@pytest.mark.parametrize("mechanism", PASSWORDS)
def test_records_go_both_ways_with_a_password(by_password: Callable[..., Settings], mechanism: str) -> None:
    goes_both_ways(load_kafka_settings(by_password(mechanism)))


@pytest.mark.parametrize("mechanism", PASSWORDS)
def test_a_wrong_password_is_named_and_not_shown(
    by_password: Callable[..., Settings], mechanism: str
) -> None:
    said = refusal(load_kafka_settings(by_password(mechanism, password="hunter2")))

    assert f"refuses user {USER} by {mechanism}: check kafka.sasl_mechanism" in said
    assert "hunter2" not in said


def test_records_go_both_ways_with_one_token_for_all_clients(by_token: Settings, issuer: Issuer) -> None:
    goes_both_ways(load_kafka_settings(by_token))

    assert len(issuer.requests) == 1


def test_reading_and_writing_go_on_over_the_end_of_tokens_and_sessions(
    by_token: Settings, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.life_s = _LIFE_S
    settings = load_kafka_settings(by_token)
    assert create_topic(settings, settings.topic, partitions=1)
    sent: list[bytes] = []
    read: list[RawRecord] = []
    sink, partition = KafkaSink(settings), TopicPartition(settings.topic, 0)
    source = KafkaSource(settings, start_offsets=lambda _: {partition: Start(len(read))})
    try:
        with caplog.at_level(logging.DEBUG, "kafka.net.connection"):
            while len(issuer.tokens) < _TOKENS:
                sent.append(str(len(sent)).encode())
                sink.send(settings.topic, None, sent[-1])
                assert sink.flush(5)
                read += source.poll(0.1)
            read_on(source, read, len(sent))
            said = [record.getMessage() for record in caplog.records]
    finally:
        source.close(2)
        assert sink.close(5)

    assert [record.value for record in read] == sent
    assert len([line for line in said if "Beginning SASL re-authentication" in line]) > _TOKENS
    assert [line for line in said if "SaslAuthenticationFailed" in line] == []


def test_a_wrong_secret_is_named_and_not_shown(by_token: Settings, secret: Path) -> None:
    secret.write_text("hunter2\n", encoding="utf-8")

    said = refusal(load_kafka_settings(by_token))

    assert "no token to log in with: http://127.0.0.1:" in said
    assert (
        "answers 401 invalid_client: no such client, or another secret: check kafka.oauth_client_id" in said
    )
    assert "hunter2" not in said


def test_reading_begins_when_the_secret_is_corrected(
    by_token: Settings, issuer: Issuer, secret: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_kafka_settings(by_token)
    assert create_topic(settings, settings.topic, partitions=1)
    fill(settings, b"1")
    issuer.secret = "rotated"
    settings = load_kafka_settings(by_token)  # as the next start does: without the old token
    source = source_of(settings)
    try:
        eventually(lambda: bool(source.poll(0.1)) or "answers 401 invalid_client" in caplog.text, 15)
        secret.write_text("rotated\n", encoding="utf-8")
        assert [record.value for record in polled(source, 1)] == [b"1"]
    finally:
        source.close(2)


def test_a_token_for_another_audience_is_refused_by_name(by_token: Settings, issuer: Issuer) -> None:
    issuer.audience = "elsewhere"

    said = refusal(load_kafka_settings(by_token))

    assert f"refuses client {issuer.client_id} by OAUTHBEARER: compare issuer, audience and scope" in said


def test_a_token_that_another_key_signed_is_refused(by_token: Settings, issuer: Issuer) -> None:
    forged = Issuer().token()
    issuer.instead = lambda _: as_json(200, access_token=forged, expires_in=60)

    assert "by OAUTHBEARER" in refusal(load_kafka_settings(by_token))


def test_an_endpoint_that_is_down_is_named(by_token: Settings, issuer: Issuer) -> None:
    issuer.instead = lambda _: (503, {}, b"")

    assert "answers 503; it is tried again" in refusal(load_kafka_settings(by_token))


def test_doctor_names_mechanism_and_client_and_no_secret_reaches_the_log(
    by_token: Settings, issuer: Issuer, tmp_path: Path
) -> None:
    config, log = tmp_path / "retuned.yaml", io.StringIO()
    config.write_text(dump(by_token), encoding="utf-8")
    with logging_to(log):
        goes_both_ways(load_kafka_settings(by_token))
        answer = typed("--config", str(config), "doctor", "--json")

    [broker] = [check for check in answer.document["checks"] if check["subject"] == "broker"]
    assert (
        f"answers as client {issuer.client_id} by OAUTHBEARER; brokers in the cluster: 1" in broker["found"]
    )
    said = log.getvalue() + answer.stdout + answer.stderr
    assert issuer.tokens != []
    assert [word for word in (issuer.secret, *issuer.tokens) if word in said] == []


@contextmanager
def logging_to(stream: io.StringIO) -> Iterator[None]:
    """Log as a daemon does that is told to log all it can."""
    root = logging.getLogger()
    handlers, level, kafka = root.handlers[:], root.level, logging.getLogger("kafka").level
    configure_logging("DEBUG", "text", stream=stream)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.getLogger("kafka").setLevel(kafka)
        logging.captureWarnings(False)
        for package in ("daemon", "monitors", "learners", "registry"):
            logging.getLogger(package).setLevel(logging.NOTSET)


def test_records_go_both_ways_with_a_client_certificate(
    kafka: ApacheKafka, names: dict[str, object], client: Pem
) -> None:
    goes_both_ways(by_certificate(names, kafka.address("MUTUAL"), client))


def test_without_the_right_certificate_nobody_is_let_in(
    kafka: ApacheKafka, names: dict[str, object], client: Pem, tmp_path: Path
) -> None:
    settings = by_certificate(names, kafka.address("MUTUAL"), client)
    stranger = Pem.made(tmp_path / "stranger", "retuned")
    none = replace(settings, ssl_certfile=None, ssl_keyfile=None)
    strange = replace(settings, ssl_certfile=str(stranger.certificate), ssl_keyfile=str(stranger.key))

    assert "asks for a client certificate" in refusal(none)
    assert f"the broker refuses {stranger.certificate}" in refusal(strange)


def test_certificates_of_both_sides_are_replaced_while_reading(
    names: dict[str, object], tmp_path: Path
) -> None:
    stores, client = Stores.in_folder(tmp_path), client_files(tmp_path)
    certify(stores, client, tmp_path / "first")
    with ApacheKafka(listeners=[_mutual(stores)]) as kafka:
        settings = by_certificate(names, kafka.address("MUTUAL"), client)
        assert create_topic(settings, settings.topic, partitions=1)
        fill(settings, b"1")
        ledger, partition = Ledger(), TopicPartition(settings.topic, 0)
        member = Member(settings, ledger)
        try:
            eventually(lambda: ledger.offsets.get(partition) == 1, 20)
            [node] = kafka.nodes
            node.kill()
            certify(stores, client, tmp_path / "renewed")
            node.start()
            fill(settings, b"2")
            eventually(lambda: ledger.offsets[partition] == 2, 20)
        finally:
            member.leave()

    assert ledger.gaps == []
