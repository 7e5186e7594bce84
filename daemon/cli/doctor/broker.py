"""Looks at the broker and its topics."""

import logging
from collections.abc import Iterator

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.loader import SettingsError
from daemon.config.settings import Settings
from daemon.domain.streams import BrokerUnreachable
from daemon.kafka import check_broker, create_topic, topic_partitions
from daemon.runtime.kafka_settings import load_kafka_settings

_TIMEOUT_S = 3.0
#: Partitions of a topic made here. More can be added later; taking some away can't be done.
_PARTITIONS = 1


def check_stream(settings: Settings, *, create_topics: bool) -> Iterator[Check]:
    """Look for the broker, then for both topics; make those that are missing where asked to."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the checks say it better
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
                yield passed(subject, f"{topic} was missing and is made; partitions: {_PARTITIONS}")
            elif partitions is None:
                remedy = "create it, or let `retuned doctor --create-topics` do it"
                yield failed(subject, f"there is no topic {topic}", remedy)
            else:
                yield passed(subject, f"{topic} is there; partitions: {partitions}")
    except SettingsError as error:
        yield failed("broker", str(error), "mend the file, or the setting that names it")
    except BrokerUnreachable as error:
        yield failed("broker", str(error), "mend what it names in the settings, or start the broker")
