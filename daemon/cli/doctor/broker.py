"""Checks the broker and the topics."""

import logging
from collections.abc import Iterator

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.loader import SettingsError
from daemon.config.settings import Settings
from daemon.domain.streams import BrokerUnreachable
from daemon.kafka import check_broker, create_topic, topic_partitions
from daemon.runtime.kafka_settings import load_kafka_settings

_TIMEOUT_S = 3.0
#: Partitions of a topic that the doctor creates. You can add partitions later, but never remove any.
_PARTITIONS = 1


def check_stream(settings: Settings, *, create_topics: bool) -> Iterator[Check]:
    """Check the broker, then both topics; create missing topics where ``create_topics`` is set."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the checks report it
    try:
        kafka = load_kafka_settings(settings)
        brokers = check_broker(kafka, timeout_s=_TIMEOUT_S)
        yield passed(
            "broker", f"{', '.join(kafka.bootstrap_servers)} answers; brokers in the cluster: {brokers}"
        )
        for subject, topic in (("topic", kafka.topic), ("dead-letter topic", kafka.dead_letter_topic)):
            partitions = topic_partitions(kafka, topic, timeout_s=_TIMEOUT_S)
            if partitions is None and create_topics:
                create_topic(kafka, topic, partitions=_PARTITIONS, timeout_s=_TIMEOUT_S)
                yield passed(subject, f"created {topic}; partitions: {_PARTITIONS}")
            elif partitions is None:
                remedy = "create it, or run `retuned doctor --create-topics`"
                yield failed(subject, f"there is no topic {topic}", remedy)
            else:
                yield passed(subject, f"{topic} exists; partitions: {partitions}")
    except SettingsError as error:
        yield failed("broker", str(error), "correct the file, or the setting that names it")
    except BrokerUnreachable as error:
        yield failed(
            "broker", str(error), "start the broker, or correct the kafka settings that the message names"
        )
