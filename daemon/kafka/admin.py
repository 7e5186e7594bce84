"""Queries a cluster for its brokers and topics, and creates topics."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from daemon.kafka import client_patches
from daemon.kafka.connection import Client, connection, unreachable
from daemon.kafka.library import ACLOperation, KafkaAdminClient, KafkaNetClient, kafka_errors
from daemon.kafka.rights import Right, access_denied, denial
from daemon.kafka.settings import KafkaSettings


def check_broker(settings: KafkaSettings, *, timeout_s: float = 5.0) -> int:
    """Return the number of brokers in the cluster. Raises BrokerUnreachable."""
    with cluster_admin(settings, timeout_s) as admin:
        return len(admin.describe_cluster()["brokers"])


#: A cluster that has had no group yet first makes the topic that holds their state.
_COORDINATOR_ERRORS = (kafka_errors.CoordinatorNotAvailableError, kafka_errors.NotCoordinatorError)
_COORDINATOR_PAUSE_S = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class TopicDescription:
    """A topic as the broker describes it to this client."""

    partitions: int
    operations: frozenset[str] | None  # that this client may do; None: the broker does not tell


def describe_topic(settings: KafkaSettings, topic: str, *, timeout_s: float = 5.0) -> TopicDescription | None:
    """Describe a topic; None if there is no such topic. Raises BrokerUnreachable, and AccessDenied."""
    with cluster_admin(settings, timeout_s) as admin:
        found = admin.describe_topics([topic])[0]
        error = kafka_errors.for_code(found["error_code"])
        if error in (kafka_errors.UnknownTopicOrPartitionError, kafka_errors.InvalidTopicError):
            return None
        if error is not kafka_errors.NoError:
            raise error(topic)
        return TopicDescription(
            partitions=len(found["partitions"]), operations=_operations(found["authorized_operations"])
        )


def topic_partitions(settings: KafkaSettings, topic: str, *, timeout_s: float = 5.0) -> int | None:
    """Return the number of a topic's partitions; None if there is no such topic. Raises as describe_topic does."""
    found = describe_topic(settings, topic, timeout_s=timeout_s)
    return None if found is None else found.partitions


def topic_exists(settings: KafkaSettings, topic: str, *, timeout_s: float = 5.0) -> bool:
    """Return whether the broker has a topic. Raises as describe_topic does."""
    return topic_partitions(settings, topic, timeout_s=timeout_s) is not None


def group_operations(settings: KafkaSettings, *, timeout_s: float = 5.0) -> frozenset[str] | None:
    """Return what this client may do with its consumer group; None where the broker does not tell.

    Raises BrokerUnreachable, and AccessDenied if it may not even describe the group.
    """
    deadline = time.monotonic() + timeout_s
    with cluster_admin(settings, timeout_s) as admin:
        while True:
            try:
                return _operations(_describe_group(admin, settings.group_id))
            except _COORDINATOR_ERRORS:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_COORDINATOR_PAUSE_S)


def _describe_group(admin: KafkaAdminClient, group_id: str) -> Iterable[str] | None:
    """Return the operations that are allowed on a group. One that nobody is in has them too."""
    found = admin.describe_groups([group_id])[group_id]
    for error in (kafka_errors.GroupAuthorizationFailedError, *_COORDINATOR_ERRORS):
        if error.__name__ in (found["error"] or ""):
            raise error(group_id)
    operations: Iterable[str] | None = found["authorized_operations"]
    return operations


def create_topic(settings: KafkaSettings, topic: str, *, partitions: int, timeout_s: float = 5.0) -> bool:
    """Create a topic with the broker's default replication; False if it exists already.

    Raises BrokerUnreachable, and AccessDenied.
    """
    with cluster_admin(settings, timeout_s) as admin:
        try:
            admin.create_topics({topic: {"num_partitions": partitions}}, timeout_ms=int(timeout_s * 1000))
        except kafka_errors.TopicAlreadyExistsError:
            return False
        except kafka_errors.TopicAuthorizationFailedError as error:
            raise access_denied(Right(operation="CREATE", resource="topic", name=topic), settings) from error
        return True


def _operations(names: Iterable[str] | None) -> frozenset[str] | None:
    """Return Kafka's names of operations; None where there are none, as brokers before 2.3 tell none."""
    return frozenset(names) if names else None


class _AdminClient(KafkaAdminClient):  # type: ignore[misc]
    """Reads descriptions of brokers that are newer than the client, with operations that it does not know."""

    def _process_acl_operations(self, described: dict[str, Any]) -> dict[str, Any]:
        codes = described.get("authorized_operations")
        if codes is not None:
            described["authorized_operations"] = [_OPERATIONS[code] for code in codes if code in _OPERATIONS]
        return described


_OPERATIONS = {operation.value: operation.name for operation in ACLOperation}


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
        yield _AdminClient(**options, kafka_client=make_client, bootstrap_timeout_ms=timeout_ms)
    except kafka_errors.KafkaError as error:
        refusal = None if client is None else client.refusal
        failed = unreachable(settings, refusal or error, timeout_s=timeout_s)
        raise denial(error, settings) or failed from error
    finally:
        if client is not None:  # even if the constructor failed
            client.close()
