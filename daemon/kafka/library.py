"""The only module that imports kafka-python."""

import warnings

with warnings.catch_warnings():
    # The client reads its schemas with functions that Python deprecates.
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer  # type: ignore[import-untyped]
    from kafka import TopicPartition as ClientPartition
    from kafka import __version__ as client_version
    from kafka import errors as kafka_errors
    from kafka.admin import ACLOperation  # type: ignore[import-untyped]
    from kafka.consumer import group as consumer_group  # type: ignore[import-untyped]
    from kafka.consumer.fetcher import Fetcher  # type: ignore[import-untyped]
    from kafka.consumer.subscription_state import ConsumerRebalanceListener  # type: ignore[import-untyped]
    from kafka.coordinator.base import MemberState  # type: ignore[import-untyped]
    from kafka.coordinator.consumer import ConsumerCoordinator  # type: ignore[import-untyped]
    from kafka.future import Future  # type: ignore[import-untyped]
    from kafka.net import inet as net_inet  # type: ignore[import-untyped]
    from kafka.net import manager as net_manager
    from kafka.net.compat import KafkaNetClient  # type: ignore[import-untyped]
    from kafka.net.inet import KafkaNetSocket  # type: ignore[import-untyped]
    from kafka.net.manager import KafkaConnectionManager  # type: ignore[import-untyped]
    from kafka.net.sasl import register_sasl_mechanism  # type: ignore[import-untyped]
    from kafka.net.sasl.msk import AwsMskIamClient, SaslMechanismAwsMskIam  # type: ignore[import-untyped]
    from kafka.net.sasl.oauth import AbstractTokenProvider  # type: ignore[import-untyped]
    from kafka.net.selector import NetworkSelector  # type: ignore[import-untyped]
    from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport  # type: ignore[import-untyped]
    from kafka.record import memory_records  # type: ignore[import-untyped]
    from kafka.record.default_records import DefaultRecordBatch  # type: ignore[import-untyped]
    from kafka.record.legacy_records import LegacyRecordBatch  # type: ignore[import-untyped]
    from kafka.structs import OffsetAndMetadata  # type: ignore[import-untyped]

__all__ = [
    "ACLOperation",
    "AbstractTokenProvider",
    "AwsMskIamClient",
    "ClientPartition",
    "ConsumerCoordinator",
    "ConsumerRebalanceListener",
    "DefaultRecordBatch",
    "Fetcher",
    "Future",
    "KafkaAdminClient",
    "KafkaConnectionManager",
    "KafkaConsumer",
    "KafkaNetClient",
    "KafkaNetSocket",
    "KafkaProducer",
    "KafkaSSLTransport",
    "KafkaTCPTransport",
    "LegacyRecordBatch",
    "MemberState",
    "NetworkSelector",
    "OffsetAndMetadata",
    "SaslMechanismAwsMskIam",
    "client_version",
    "consumer_group",
    "kafka_errors",
    "memory_records",
    "net_inet",
    "net_manager",
    "register_sasl_mechanism",
]
