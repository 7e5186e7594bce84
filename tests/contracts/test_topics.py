"""No client of ours makes a topic; one that is missing is named, and read once it is there."""

import gc
from collections.abc import Iterator

import pytest

from daemon.domain.streams import TopicMissing, TopicPartition
from daemon.kafka import KafkaSink, KafkaSource, create_topic, fetch_records, topic_exists
from daemon.kafka.admin import cluster_admin
from daemon.kafka.settings import KafkaSettings
from tests.servers.brokers import Cluster
from tests.support.helpers import eventually
from tests.support.reading import fill, nothing_of_the_client_left

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def settings(cluster: Cluster) -> Iterator[KafkaSettings]:
    """Settings for topics that are not there. The broker makes any topic that a client asks for and lets it make."""
    with cluster.topic(partitions=None) as found, nothing_of_the_client_left():
        yield found
    gc.collect()


def test_a_missing_topic_is_named_and_read_when_it_appears(settings: KafkaSettings) -> None:
    source = KafkaSource(settings, start_offsets=lambda _: {})
    try:
        named = f"there is no topic {settings.topic}; correct kafka.topic"
        eventually(lambda: source.poll(0.2) == [] and named in (source.problem or ""), 20)
        for _ in range(30):  # over several requests for metadata
            source.poll(0.2)
        assert not topic_exists(settings, settings.topic)

        create_topic(settings, settings.topic, partitions=2)
        fill(settings, b"1")

        assert [record.value for record in eventually(lambda: source.poll(0.2), 30)] == [b"1"]
        assert source.problem is None
    finally:
        source.close(2)


def test_a_topic_that_is_deleted_while_it_is_read_is_named_and_not_made_again(
    settings: KafkaSettings,
) -> None:
    create_topic(settings, settings.topic, partitions=1)
    fill(settings, b"1")
    source = KafkaSource(settings, start_offsets=lambda _: {})
    try:
        eventually(lambda: source.poll(0.2), 20)
        with cluster_admin(settings, 10) as admin:
            admin.delete_topics([settings.topic])

        eventually(lambda: source.poll(0.2) == [] and "there is no topic" in (source.problem or ""), 30)
        for _ in range(30):
            source.poll(0.2)
        assert not topic_exists(settings, settings.topic)
    finally:
        source.close(2)


def test_a_missing_dead_letter_topic_is_named_and_written_to_when_it_appears(settings: KafkaSettings) -> None:
    sink = KafkaSink(settings)
    try:
        sink.send(settings.topic, b"key", b"letter")
        named = f"there is no topic {settings.topic}; correct kafka.dead_letter_topic"
        eventually(lambda: not sink.flush(0.5) and named in (sink.problem or ""), 20)
        assert not topic_exists(settings, settings.topic)

        create_topic(settings, settings.topic, partitions=1)
        eventually(lambda: sink.flush(1), 20)
        assert sink.problem is None
    finally:
        sink.close(2)


def test_fetching_names_a_missing_topic_and_makes_none(settings: KafkaSettings) -> None:
    with pytest.raises(TopicMissing, match=f"no topic {settings.topic}"):
        list(fetch_records(settings, {TopicPartition(settings.topic, 0): [0]}, timeout_s=1))

    assert not topic_exists(settings, settings.topic)
