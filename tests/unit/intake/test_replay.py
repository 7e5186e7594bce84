from datetime import timedelta

import pytest

from daemon.config.settings import LimitsSection
from daemon.domain.conversation import Conversation, Feedback, FeedbackRecord
from daemon.intake.decoding import decode
from daemon.intake.replay import ReplayStopped, encode_record, replay
from tests.factories.intake import NOW, a_conversation
from tests.fakes.kafka import FakeBroker, FakeSink


class FakeTime:
    def __init__(self) -> None:
        self.seconds = 100.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds


class SlowSink(FakeSink):
    """Each flush takes a second."""

    def __init__(self, broker: FakeBroker, time: FakeTime) -> None:
        super().__init__(broker)
        self._time = time

    def flush(self, timeout_s: float) -> bool:
        self._time.seconds += 1
        return super().flush(timeout_s)


def conversations(count: int) -> list[Conversation]:
    return [a_conversation(f"c-{number}") for number in range(count)]


def test_conversations_go_out_in_order_at_the_asked_pace() -> None:
    broker, time = FakeBroker(), FakeTime()

    sent = replay(conversations(5), FakeSink(broker), "t", rate=4, clock=time, sleep=time.sleep)

    assert sent == 5
    assert time.sleeps == [0.25] * 4
    assert b'"c-0"' in (broker.values("t")[0] or b"")
    assert b'"c-4"' in (broker.values("t")[4] or b"")


def test_a_pace_that_was_missed_is_not_made_up_by_a_burst() -> None:
    broker, time = FakeBroker(), FakeTime()

    replay(conversations(4), SlowSink(broker, time), "t", rate=10, clock=time, sleep=time.sleep)

    assert len(broker.values("t")) == 4
    assert time.seconds >= 100 + 0.3


def test_each_conversation_is_acknowledged_before_the_wait_for_the_next() -> None:
    time, progress = FakeTime(), list[int]()

    replay(
        conversations(3),
        FakeSink(FakeBroker()),
        "t",
        rate=1,
        clock=time,
        sleep=time.sleep,
        on_progress=progress.append,
    )

    assert progress == [1, 2, 3]


def test_a_replay_without_pauses_flushes_in_batches() -> None:
    time, progress = FakeTime(), list[int]()

    replay(
        conversations(250), FakeSink(FakeBroker()), "t",
        rate=float("inf"), clock=time, sleep=time.sleep, on_progress=progress.append,
    )  # fmt: skip

    assert progress == [100, 200, 250]


def test_it_stops_when_the_broker_takes_no_more_and_says_how_far_it_got() -> None:
    broker, time = FakeBroker(), FakeTime()

    def off_after_two(acknowledged: int) -> None:
        broker.up = acknowledged < 2

    with pytest.raises(ReplayStopped) as stopped:
        replay(
            conversations(5),
            FakeSink(broker),
            "t",
            rate=1,
            clock=time,
            sleep=time.sleep,
            on_progress=off_after_two,
        )

    assert stopped.value.acknowledged == 2


def test_records_can_be_stamped_with_the_time_of_sending() -> None:
    broker, time = FakeBroker(), FakeTime()

    replay(
        conversations(1), FakeSink(broker), "t",
        rate=1, clock=time, sleep=time.sleep, now=lambda: NOW + timedelta(hours=1),
    )  # fmt: skip

    assert b"2026-11-24T13:00:00" in (broker.values("t")[0] or b"")


def test_conversations_of_one_user_share_a_partition() -> None:
    broker, time = FakeBroker(partitions=3), FakeTime()
    talks = [a_conversation("c-1"), a_conversation("c-2"), a_conversation("c-3", user_id=None)]

    replay(talks, FakeSink(broker), "t", rate=1, clock=time, sleep=time.sleep)

    assert {record.key for log in broker.logs.values() for record in log} == {b"u-1", b"c-3"}


def test_what_is_encoded_decodes_to_the_same_conversation() -> None:
    conversation = a_conversation(feedback=Feedback(rating=4.5, correction="明天"))

    assert decode(encode_record(conversation), limits=LimitsSection(), received_at=NOW) == conversation


def test_late_feedback_decodes_to_the_same_and_follows_its_conversation() -> None:
    feedback = FeedbackRecord(
        conversation_id="c-1", at=NOW, feedback=Feedback(correction="明天"), user_id="u-1"
    )
    broker, time = FakeBroker(partitions=3), FakeTime()

    replay([a_conversation("c-1"), feedback], FakeSink(broker), "t", rate=1, clock=time, sleep=time.sleep)

    assert decode(encode_record(feedback), limits=LimitsSection(), received_at=NOW) == feedback
    assert {record.key for log in broker.logs.values() for record in log} == {b"u-1"}
