"""A topic of its own for each test."""

from daemon.kafka import KafkaSink, create_topic
from daemon.kafka.settings import KafkaSettings
from tests.servers.brokers import Broker


class Stream:
    """The topic that the daemon reads, and a way to write to it."""

    def __init__(self, broker: Broker, topic: str, *, partitions: int = 2) -> None:
        self.settings = KafkaSettings(
            bootstrap_servers=tuple(broker.bootstrap.split(",")),
            topic=topic,
            dead_letter_topic=f"{topic}.dead",
            group_id=topic,
        )
        create_topic(self.settings, topic, partitions=partitions)
        create_topic(self.settings, self.settings.dead_letter_topic, partitions=1)

    def send(self, *values: bytes) -> None:
        sink = KafkaSink(self.settings)
        for number, value in enumerate(values):
            sink.send(self.settings.topic, str(number).encode(), value)
        assert sink.flush(20)
        sink.close(5)
