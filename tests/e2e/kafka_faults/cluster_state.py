"""What tests ask of a cluster and change in it, beside what the product does."""

import time

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewPartitions

from tests.servers.apache_kafka import ApacheKafka, Node
from tests.support.helpers import eventually

_TIMEOUT_S = 20.0


def await_all_replicas(cluster: ApacheKafka) -> None:
    """Wait until each partition's replicas are in sync, so that another broker may go."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})

    def are_in_sync() -> bool:
        time.sleep(0.1)
        topics = admin.list_topics(timeout=_TIMEOUT_S).topics.values()
        return all(
            len(part.isrs) == len(part.replicas) for topic in topics for part in topic.partitions.values()
        )

    eventually(are_in_sync, deadline_s=60)


def add_partitions(cluster: ApacheKafka, topic: str, total: int) -> None:
    """Have a topic consist of more partitions."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    admin.create_partitions([NewPartitions(topic, total)])[topic].result(_TIMEOUT_S)


def allow_records_of(cluster: ApacheKafka, topic: str, size: int) -> None:
    """Let a topic take records of so many bytes."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    wanted = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([wanted])[wanted].result(_TIMEOUT_S)


def limit_reading(cluster: ApacheKafka, client: str, bytes_a_second: int | None) -> None:
    """Set a client's quota of what it may read; None takes it back."""
    change = (
        ("--delete-config", "consumer_byte_rate")
        if bytes_a_second is None
        else ("--add-config", f"consumer_byte_rate={bytes_a_second}")
    )
    node: Node = cluster.nodes[0]
    node.tool(
        "kafka.admin.ConfigCommand" if cluster.version.startswith("3.") else "org.apache.kafka.tools.ConfigCommand",
        "--bootstrap-server", cluster.bootstrap, "--alter", *change,
        "--entity-type", "clients", "--entity-name", client,
    )  # fmt: skip
