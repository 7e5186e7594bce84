import pytest

from daemon.domain.streams import BrokerUnreachable, TopicMissing
from daemon.kafka import offsets
from daemon.kafka.offsets import topic_offsets
from tests.factories.intake import kafka_settings


def no_consumer(*_: object) -> None:
    pytest.fail("a consumer waits for a broker without end")


def test_a_broker_that_does_not_answer_is_said_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def silent(_: object, topic: str, *, timeout_s: float) -> int:
        asked.append((topic, timeout_s))
        raise BrokerUnreachable("no usable broker")

    monkeypatch.setattr(offsets, "topic_partitions", silent)
    monkeypatch.setattr(offsets, "_consumer", no_consumer)

    with pytest.raises(BrokerUnreachable):
        topic_offsets(kafka_settings("127.0.0.1:1", "talks"), timeout_s=3)
    assert asked == [("talks", 3)]


def test_a_topic_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offsets, "topic_partitions", lambda *_, **__: None)
    monkeypatch.setattr(offsets, "_consumer", no_consumer)

    with pytest.raises(TopicMissing, match="there is no topic talks"):
        topic_offsets(kafka_settings("127.0.0.1:1", "talks"))
