"""Checks the broker, the topics, and the rights on them."""

import logging
from collections.abc import Iterator

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.loader import SettingsError
from daemon.config.settings import Settings
from daemon.domain.streams import AccessDenied, BrokerUnreachable
from daemon.kafka import check_broker, create_topic, describe_topic, group_operations
from daemon.kafka.login import login_words
from daemon.kafka.rights import Right, access_denied, least_rights
from daemon.kafka.settings import KafkaSettings
from daemon.runtime.kafka_settings import load_kafka_settings

_TIMEOUT_S = 3.0
#: Partitions of a topic that the doctor creates. You can add partitions later, but never remove any.
_PARTITIONS = 1


def check_stream(settings: Settings, *, create_topics: bool) -> Iterator[Check]:
    """Check the broker, both topics and the group; create missing topics where ``create_topics`` is set."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the checks report it
    try:
        kafka = load_kafka_settings(settings)
        brokers = check_broker(kafka, timeout_s=_TIMEOUT_S)
        yield passed(
            "broker",
            f"{', '.join(kafka.bootstrap_servers)} answers{login_words(kafka)}; brokers in the cluster: {brokers}",
        )
        topic, group, dead_letters = least_rights(kafka)
        yield _check_topic(kafka, "topic", topic, create=create_topics)
        yield _check_topic(kafka, "dead-letter topic", dead_letters, create=create_topics)
        yield _check_group(kafka, group)
    except SettingsError as error:
        yield failed("broker", str(error), "correct the file, or the setting that names it")
    except BrokerUnreachable as error:
        yield failed(
            "broker", str(error), "start the broker, or correct the kafka settings that the message names"
        )


def _check_topic(kafka: KafkaSettings, subject: str, right: Right, *, create: bool) -> Check:
    """Check that a topic exists and that the right on it is granted."""
    topic = right.name
    try:
        found = describe_topic(kafka, topic, timeout_s=_TIMEOUT_S)
        if found is None and create:
            create_topic(kafka, topic, partitions=_PARTITIONS, timeout_s=_TIMEOUT_S)
            return passed(subject, f"created {topic}; partitions: {_PARTITIONS}")
    except AccessDenied as denied:
        return _denied(subject, denied)
    if found is None:
        return failed(
            subject, f"there is no topic {topic}", "create it, or run `retuned doctor --create-topics`"
        )
    if found.operations is not None and right.operation not in found.operations:
        return _denied(subject, access_denied(right, kafka))
    return passed(subject, f"{topic} exists; partitions: {found.partitions}")


def _check_group(kafka: KafkaSettings, right: Right) -> Check:
    """Check that this client may join its consumer group."""
    try:
        operations = group_operations(kafka, timeout_s=_TIMEOUT_S)
    except AccessDenied as denied:
        return _denied("consumer group", denied)
    if operations is not None and right.operation not in operations:
        return _denied("consumer group", access_denied(right, kafka))
    return passed("consumer group", f"{kafka.group_id} can be joined")


def _denied(subject: str, denied: AccessDenied) -> Check:
    return failed(subject, str(denied).partition(";")[0], denied.grant)
