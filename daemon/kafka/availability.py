"""Finds why a source can't read its topic: no broker, no such topic, or a right that the broker refuses."""

from daemon.domain.streams import StreamError, TopicMissing
from daemon.kafka.connection import Client, no_connection
from daemon.kafka.library import KafkaConsumer, MemberState
from daemon.kafka.rights import Right, access_denied, refused_right
from daemon.kafka.settings import KafkaSettings


class Availability:
    """Remembers a refused right until the broker shows that it is granted.

    The broker shows it by an answer to a fetch, or by a place in the group where there is nothing to fetch.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._refused: Right | None = None
        self._answers = 0  # to fetches, when it was refused

    def note_error(self, error: BaseException, consumer: KafkaConsumer) -> None:
        """Remember an error of a poll if it says that a right is missing."""
        if (right := refused_right(error, self._settings)) is not None:
            self._refused, self._answers = right, _answers(consumer)

    def problem(self, consumer: KafkaConsumer | None, client: Client | None) -> StreamError | None:
        """Return why nothing can be read; None if it can."""
        if client is None or consumer is None or not client.has_connection:
            return no_connection(self._settings, client)
        topic = self._settings.topic
        if topic in client.cluster.unauthorized_topics:
            return access_denied(Right(operation="READ", resource="topic", name=topic), self._settings)
        if self._refused is not None:
            if not self._granted(consumer, client):
                return access_denied(self._refused, self._settings)
            self._refused = None
        if client.cluster.partitions_for_topic(topic) is None:
            return TopicMissing(topic, setting="kafka.topic")
        return None

    def reset(self) -> None:
        """Forget everything: the consumer is closed."""
        self._refused = None

    def _granted(self, consumer: KafkaConsumer, client: Client) -> bool:
        if consumer.assignment():
            return _answers(consumer) > self._answers
        joined = consumer._coordinator.state is MemberState.STABLE  # noqa: SLF001 - the client has no public way
        return joined and client.cluster.partitions_for_topic(self._settings.topic) is not None


def _answers(consumer: KafkaConsumer) -> int:
    answers: int = consumer._fetcher.answers  # noqa: SLF001 - our WatchedFetcher
    return answers
