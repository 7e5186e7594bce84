"""A replica with a lasting name that was killed has its partitions back before its session is over."""

import subprocess
import sys
import time

from daemon.kafka import create_topic
from tests.factories.intake import kafka_settings
from tests.servers.brokers import Broker
from tests.support.reading import fill

SESSION_MS = 8_000


def seconds_to_read(broker: Broker, topic: str, instance: str) -> float:
    """Start a member, wait for its first records, kill it; return how long they took."""
    words = [broker.bootstrap, topic, instance, str(SESSION_MS)]
    started = time.monotonic()
    member = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.member_that_reads", *words], stdout=subprocess.PIPE
    )
    try:
        assert member.stdout is not None
        assert member.stdout.readline() == b"read\n"
        return time.monotonic() - started
    finally:
        member.kill()
        member.communicate()


def test_a_killed_member_with_a_name_of_its_own_is_back_before_its_session_is_over(
    broker: Broker, topic: str
) -> None:
    settings = kafka_settings(broker.bootstrap, topic)
    create_topic(settings, topic, partitions=1)
    fill(settings, b"1", b"2")

    nameless = [seconds_to_read(broker, topic, "") for _ in range(2)]
    create_topic(kafka_settings(broker.bootstrap, f"{topic}-named"), f"{topic}-named", partitions=1)
    fill(kafka_settings(broker.bootstrap, f"{topic}-named"), b"1", b"2")
    named = [seconds_to_read(broker, f"{topic}-named", "pod-0") for _ in range(2)]

    assert named[1] < nameless[1] - SESSION_MS / 2000
