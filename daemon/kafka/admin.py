"""Queries a cluster for its brokers and topics, and creates topics."""

import contextlib
from collections.abc import Iterator

from daemon.kafka import client_patches
from daemon.kafka.connection import Client, connection, unreachable
from daemon.kafka.library import KafkaAdminClient, KafkaNetClient, kafka_errors
from daemon.kafka.settings import KafkaSettings


def check_broker(settings: KafkaSettings, *, timeout_s: float = 5.0) -> int:
    """Return the number of brokers in the cluster. Raises BrokerUnreachable."""
    with cluster_admin(settings, timeout_s) as admin:
        return len(admin.describe_cluster()["brokers"])


def topic_partitions(settings: KafkaSettings, topic: str, *, timeout_s: float = 5.0) -> int | None:
    """Return the number of a topic's partitions; None if there is no such topic. Raises BrokerUnreachable."""
    with cluster_admin(settings, timeout_s) as admin:
        found = admin.describe_topics([topic])[0]
        return None if found["error_code"] else len(found["partitions"])


def topic_exists(settings: KafkaSettings, topic: str, *, timeout_s: float = 5.0) -> bool:
    """Return whether the broker has a topic. Raises BrokerUnreachable."""
    return topic_partitions(settings, topic, timeout_s=timeout_s) is not None


def create_topic(settings: KafkaSettings, topic: str, *, partitions: int, timeout_s: float = 5.0) -> bool:
    """Create a topic with the broker's default replication; False if it exists already.

    Raises BrokerUnreachable.
    """
    with cluster_admin(settings, timeout_s) as admin:
        try:
            admin.create_topics({topic: {"num_partitions": partitions}}, timeout_ms=int(timeout_s * 1000))
        except kafka_errors.TopicAlreadyExistsError:
            return False
        return True


@contextlib.contextmanager
def cluster_admin(settings: KafkaSettings, timeout_s: float) -> Iterator[KafkaAdminClient]:
    """Open an admin client. Connecting may take ``timeout_s``, and so may each request."""
    client: Client | None = None
    timeout_ms = int(timeout_s * 1000)
    options = {
        **connection(settings),
        "request_timeout_ms": min(settings.request_timeout_ms, timeout_ms),
    }

    def make_client(**configs: object) -> KafkaNetClient:
        nonlocal client
        client = Client(
            settings,
            **configs,
            socket_connection_setup_timeout_ms=timeout_ms,
            socket_connection_setup_timeout_max_ms=timeout_ms,
        )
        return client

    try:
        client_patches.apply()
        yield KafkaAdminClient(**options, kafka_client=make_client, bootstrap_timeout_ms=timeout_ms)
    except kafka_errors.KafkaError as error:
        refusal = None if client is None else client.refusal
        raise unreachable(settings, refusal or error, timeout_s=timeout_s) from error
    finally:
        if client is not None:  # even if the constructor failed
            client.close()
