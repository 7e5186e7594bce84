"""The brokers that suites run on, how each is reached, and what it can't do."""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

import pytest

from daemon.config.settings import KafkaSection, Settings
from daemon.demo.broker import LocalBroker
from daemon.kafka import create_topic, topic_exists
from daemon.kafka.admin import cluster_admin
from daemon.kafka.settings import KafkaSettings
from daemon.runtime.kafka_settings import load_kafka_settings as settings_of
from tests.factories.intake import kafka_settings
from tests.servers.apache_kafka import ApacheKafka, is_installable
from tests.servers.mock_broker import MockBroker

#: HOST:PORT of a broker of the reader's own that tests may use; they make topics of their own there and delete them.
REAL = "RETUNED_TEST_KAFKA"
#: Further settings of section kafka for it, each in a variable of its own: RETUNED_TEST_KAFKA_SECURITY_PROTOCOL,
#: RETUNED_TEST_KAFKA_SSL_CAFILE, RETUNED_TEST_KAFKA_SASL_PASSWORD_FILE, ...


class Broker(Protocol):
    """A broker, or what stands before it."""

    @property
    def bootstrap(self) -> str:
        """host:port, several joined with commas."""


class OwnBroker(Broker, Protocol):
    """A broker of a test's own."""

    def kill(self) -> None:
        """Kill it, like a crash."""


class Ability(StrEnum):
    """What some broker can't do."""

    ADMIN = "topics made and deleted by clients"
    TOPIC_IDS = "an id for each topic"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """A broker that runs."""

    name: str
    base: KafkaSettings  # of which topic and group are another for each test
    create: Callable[[str, int], object]
    delete: Callable[[str], object]
    lacks: Mapping[Ability, str] = field(default_factory=dict)  # and why

    def needs(self, ability: Ability) -> None:
        """Skip the test where the broker can't do what it is about."""
        if ability in self.lacks:
            pytest.skip(f"{self.name} lacks {ability}: {self.lacks[ability]}")

    @contextmanager
    def topic(self, *, partitions: int | None) -> Iterator[KafkaSettings]:
        """Settings for a topic that nobody else uses, gone afterwards. None: the test makes it."""
        name = f"retuned-test-{uuid.uuid4().hex[:12]}"
        settings = replace(self.base, topic=name, dead_letter_topic=f"{name}-dead", group_id=f"{name}-group")
        if partitions is not None:
            self.create(name, partitions)
        try:
            yield settings
        finally:
            self.delete(name)


def _by_clients(name: str, base: KafkaSettings) -> Cluster:
    """Return a broker whose topics are made as the product makes them."""
    return Cluster(
        name=name,
        base=base,
        create=lambda topic, partitions: create_topic(base, topic, partitions=partitions, timeout_s=20),
        delete=lambda topic: _delete(base, topic),
    )


def _delete(settings: KafkaSettings, topic: str) -> None:
    if topic_exists(settings, topic, timeout_s=20):
        with cluster_admin(settings, 20) as admin:
            admin.delete_topics([topic])


@contextmanager
def _apache(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    broker: ApacheKafka = request.getfixturevalue("apache_kafka")
    yield _by_clients(f"Apache Kafka {broker.version}", kafka_settings(broker.bootstrap, "-"))


@contextmanager
def _tansu(_: pytest.FixtureRequest) -> Iterator[Cluster]:
    with LocalBroker() as broker:
        yield _by_clients("Tansu", kafka_settings(broker.bootstrap, "-"))


@contextmanager
def _mock(_: pytest.FixtureRequest) -> Iterator[Cluster]:
    with MockBroker() as broker:
        yield Cluster(
            name="librdkafka's mock",
            # Its answer to a version of ApiVersions that it doesn't know can't be read; 2.3 asks for one it knows.
            base=replace(kafka_settings(broker.bootstrap, "-"), api_version=(2, 3)),
            create=lambda topic, partitions: broker.create(topic, partitions=partitions),
            delete=broker.delete,
            lacks={
                Ability.ADMIN: "it knows neither CreateTopics nor DeleteTopics",
                Ability.TOPIC_IDS: "the protocol that it is spoken to in, 2.3, has none",
            },
        )


@contextmanager
def _real(_: pytest.FixtureRequest) -> Iterator[Cluster]:
    kafka: dict[str, object] = {
        name: os.environ[f"{REAL}_{name.upper()}"]
        for name in KafkaSection.model_fields
        if f"{REAL}_{name.upper()}" in os.environ
    }
    kafka["bootstrap_servers"] = os.environ[REAL].split(",")
    # Kafka refuses less than 6 s: group.min.session.timeout.ms.
    kafka |= {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 2_000}
    settings = Settings.model_validate({"model": {"base": "-"}, "kafka": kafka})
    yield _by_clients(f"the broker at {os.environ[REAL]}", settings_of(settings))


_BROKERS: Mapping[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Cluster]]] = {
    "apache": _apache,
    "tansu": _tansu,
    "mock": _mock,
    "real": _real,
}
#: Those to run on here: the reader's own only where it was named.
BROKERS = tuple(name for name in _BROKERS if name != "real" or os.environ.get(REAL))
#: Those that are Kafka itself, for what no stand-in does: transactions, compaction, rights.
KAFKA_ITSELF = tuple(name for name in BROKERS if name in ("apache", "real"))


def running(request: pytest.FixtureRequest) -> AbstractContextManager[Cluster]:
    """Start the broker that a fixture's parameter names, or reach it."""
    return _BROKERS[request.param](request)


@contextmanager
def shared_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The session's Apache Kafka; a broker of Tansu on a laptop that lacks Java or Maven."""
    if _is_apache():
        yield request.getfixturevalue("apache_kafka")
    else:
        with LocalBroker() as broker:
            yield broker


@contextmanager
def own_broker(*, advertised: str | None = None) -> Iterator[OwnBroker]:
    """Start a broker that the test may kill. ``advertised`` is the host:port that it sends clients to."""
    if _is_apache():
        settings = {"advertised.listeners": f"PLAINTEXT://{advertised}"} if advertised else {}
        with ApacheKafka(settings=settings) as apache:
            yield apache
    else:
        with LocalBroker(advertised=advertised) as tansu:
            yield tansu


def _is_apache() -> bool:
    """In CI its absence is a failure."""
    return is_installable() or bool(os.environ.get("CI"))
