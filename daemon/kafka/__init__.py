"""Kafka: source, sink and administration, over kafka-python."""

from daemon.kafka.admin import (
    check_broker,
    create_topic,
    describe_topic,
    group_operations,
    topic_exists,
    topic_partitions,
)
from daemon.kafka.fetching import fetch_records
from daemon.kafka.sink import KafkaSink
from daemon.kafka.source import KafkaSource

__all__ = [
    "KafkaSink",
    "KafkaSource",
    "check_broker",
    "create_topic",
    "describe_topic",
    "fetch_records",
    "group_operations",
    "topic_exists",
    "topic_partitions",
]
