"""What a broker refuses is named: rights that are granted one by one, and logins."""

import gc
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.config.loader import dump
from daemon.config.settings import Settings
from daemon.domain.streams import AccessDenied, BrokerUnreachable
from daemon.kafka import KafkaSink, KafkaSource, check_broker, create_topic
from daemon.kafka.rights import grant_command, least_rights
from daemon.kafka.settings import KafkaSettings
from daemon.runtime.kafka_settings import load_kafka_settings
from tests.factories.cli import typed
from tests.factories.daemon import line_settings
from tests.factories.intake import kafka_settings
from tests.servers.apache_kafka import ApacheKafka, Listener
from tests.support.helpers import eventually
from tests.support.reading import fill, nothing_of_the_client_left

# The client forgets to close the socket of a connection that was refused; the collector does it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

_PASSWORD = "secret"
_LOGIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"


@pytest.fixture(scope="module")
def guarded() -> Iterator[ApacheKafka]:
    """A broker that gives nothing to anybody who was granted nothing, but for its plain listener."""
    users = " ".join(f'user_{name}="{_PASSWORD}"' for name in ("reader", "doctored", "stranger"))
    secured = Listener(
        name="SECURED",
        protocol="SASL_PLAINTEXT",
        settings={
            "sasl.enabled.mechanisms": "PLAIN",
            "plain.sasl.jaas.config": f"{_LOGIN_MODULE} required {users};",
        },
    )
    rights = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    with ApacheKafka(listeners=[secured], settings=rights) as broker:
        yield broker


@pytest.fixture(autouse=True)
def sockets_are_collected() -> Iterator[None]:
    with nothing_of_the_client_left():
        yield
    gc.collect()


def plain(broker: ApacheKafka, topic: str) -> KafkaSettings:
    """Settings of a superuser."""
    return replace(kafka_settings(broker.bootstrap, topic), dead_letter_topic=f"{topic}.dead")


def operators_settings(
    broker: ApacheKafka, folder: Path, *, user: str, topic: str, password: str = _PASSWORD
) -> Settings:
    (folder / "password").write_text(password, encoding="utf-8")
    kafka = {
        "bootstrap_servers": [broker.address("SECURED")], "topic": topic, "group_id": f"{topic}-group",
        "dead_letter_topic": f"{topic}.dead", "session_timeout_ms": 6_000, "heartbeat_interval_ms": 1_000,
        "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_username": user,
        "sasl_password_file": folder / "password",
    }  # fmt: skip
    return line_settings(folder, kafka=kafka)


def granted(broker: ApacheKafka, command: str) -> None:
    """Do what an administrator does who is told this command, over the listener of superusers."""
    program, *arguments = shlex.split(command)
    assert program == "kafka-acls"
    arguments[arguments.index("--bootstrap-server") + 1] = broker.bootstrap
    newer = not broker.version.startswith("3.")
    broker.nodes[0].tool(
        "org.apache.kafka.tools.AclCommand" if newer else "kafka.admin.AclCommand", *arguments
    )


def refused_for(source: KafkaSource, words: str) -> None:
    """Poll until the source names this problem; no record may come before."""
    eventually(lambda: source.poll(0.2) == [] and words in (source.problem or ""), 20)


def named_grant(problem: str | None) -> str:
    assert problem is not None
    return problem.partition("grant it: ")[2]


def test_rights_are_named_one_by_one_and_with_the_last_of_them_everything_works(
    guarded: ApacheKafka, tmp_path: Path
) -> None:
    owner = plain(guarded, "granted")
    create_topic(owner, owner.topic, partitions=1)
    create_topic(owner, owner.dead_letter_topic, partitions=1)
    fill(owner, b"first")
    settings = load_kafka_settings(operators_settings(guarded, tmp_path, user="reader", topic="granted"))
    source, sink = KafkaSource(settings, start_offsets=lambda _: {}), KafkaSink(settings)
    try:
        for right in ("READ on topic granted", "READ on group granted-group"):
            refused_for(source, f"User:reader {right}")
            granted(guarded, named_grant(source.problem))
        assert [record.value for record in eventually(lambda: source.poll(0.2), 20)] == [b"first"]
        assert source.problem is None

        sink.send(settings.dead_letter_topic, b"key", b"letter")
        eventually(lambda: not sink.flush(1) and "WRITE on topic granted.dead" in (sink.problem or ""), 20)
        granted(guarded, named_grant(sink.problem))
        eventually(lambda: sink.flush(2), 20)
        assert sink.problem is None
    finally:
        source.close(2)
        sink.close(2)


def test_a_right_that_is_taken_away_is_missed_while_reading(guarded: ApacheKafka, tmp_path: Path) -> None:
    owner = plain(guarded, "taken")
    create_topic(owner, owner.topic, partitions=1)
    fill(owner, b"first")
    settings = load_kafka_settings(operators_settings(guarded, tmp_path, user="reader", topic="taken"))
    rights = [grant_command(right, settings) for right in least_rights(settings)]
    for command in rights:
        granted(guarded, command)
    source = KafkaSource(settings, start_offsets=lambda _: {})
    try:
        eventually(lambda: source.poll(0.2), 20)
        granted(guarded, rights[0].replace("--add", "--remove --force"))
        refused_for(source, "READ on topic taken")
        granted(guarded, rights[0])
        fill(owner, b"second")
        assert [record.value for record in eventually(lambda: source.poll(0.2), 20)] == [b"second"]
        assert source.problem is None
    finally:
        source.close(2)


def test_the_doctor_prints_what_grants_each_missing_right(guarded: ApacheKafka, tmp_path: Path) -> None:
    owner = plain(guarded, "examined")
    create_topic(owner, owner.topic, partitions=1)
    create_topic(owner, owner.dead_letter_topic, partitions=1)
    config = tmp_path / "retuned.yaml"
    config.write_text(
        dump(operators_settings(guarded, tmp_path, user="doctored", topic="examined")), encoding="utf-8"
    )

    def failed() -> dict[str, str]:
        checks = typed("--config", str(config), "doctor", "--json").document["checks"]
        subjects = ("broker", "topic", "dead-letter topic", "consumer group")
        return {
            check["subject"]: check["remedy"]
            for check in checks
            if not check["ok"] and check["subject"] in subjects
        }

    wanted = failed()
    assert set(wanted) == {"topic", "dead-letter topic", "consumer group"}
    for remedy in wanted.values():
        granted(guarded, remedy)

    assert failed() == {}


def test_a_topic_that_may_not_be_created_is_named(guarded: ApacheKafka, tmp_path: Path) -> None:
    settings = load_kafka_settings(operators_settings(guarded, tmp_path, user="stranger", topic="wished"))

    with pytest.raises(AccessDenied, match="User:stranger CREATE on topic wished") as denied:
        create_topic(settings, "wished", partitions=1)

    granted(guarded, denied.value.grant)
    assert create_topic(settings, "wished", partitions=1)


def test_a_wrong_password_is_named_whatever_comes_after_it(guarded: ApacheKafka, tmp_path: Path) -> None:
    settings = load_kafka_settings(
        operators_settings(guarded, tmp_path, user="reader", topic="any", password="wrong")
    )
    wanted = "Authentication failed: Invalid username or password"

    for timeout_s in (1.0, 2.0, 3.0):
        with pytest.raises(BrokerUnreachable, match=wanted):
            check_broker(settings, timeout_s=timeout_s)

    source = KafkaSource(settings, start_offsets=lambda _: {})
    try:
        refused_for(source, wanted)
        for _ in range(30):
            source.poll(0.1)
            assert wanted in (source.problem or "")
    finally:
        source.close(2)
