"""What only a real broker can show, on each there is: groups, offsets that are not there, topics made anew."""

from collections.abc import Iterator

import pytest

from daemon.domain.streams import IntakeMustHalt, OffsetLost, RawRecord, Start, TopicPartition, TopicRecreated
from daemon.kafka import KafkaSource, check_broker, create_topic, topic_exists, topic_partitions
from daemon.kafka.settings import KafkaSettings
from tests.servers.brokers import BROKERS, Ability, Cluster, running
from tests.support.helpers import eventually
from tests.support.reading import Ledger, Member, fill, nothing_of_the_client_left


@pytest.fixture(scope="module", params=BROKERS)
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with running(request) as found:
        yield found


@pytest.fixture
def settings(cluster: Cluster) -> Iterator[KafkaSettings]:
    """Settings for a topic with one partition."""
    with cluster.topic(partitions=1) as found:
        yield found


@pytest.fixture
def parted(cluster: Cluster) -> Iterator[KafkaSettings]:
    """Settings for a topic with two partitions."""
    with cluster.topic(partitions=2) as found:
        yield found


def fill_numbers(settings: KafkaSettings, count: int) -> None:
    fill(settings, *[b"%d" % number for number in range(count)])


def source_of(settings: KafkaSettings, start: Start | None = None) -> KafkaSource:
    """A source that goes on in partition 0 from there."""
    starts = {} if start is None else {TopicPartition(settings.topic, 0): start}
    opened.append(KafkaSource(settings, start_offsets=lambda _: starts))
    return opened[-1]


#: Sources of the test that is running, which may fail before it closes them.
opened: list[KafkaSource] = []


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    """A client that is left behind would go on by itself, and disturb the tests that follow."""
    with nothing_of_the_client_left():
        yield
        while opened:
            opened.pop().close(2)


def read(source: KafkaSource, count: int) -> None:
    """Poll until that many records have come."""
    records: list[RawRecord] = []

    def enough() -> bool:
        records.extend(source.poll(0.2))
        return len(records) >= count

    eventually(enough, 45)


def refusal(source: KafkaSource) -> IntakeMustHalt:
    """Poll until the source refuses to go on, and close it. Nothing may come before."""
    try:
        with pytest.raises(IntakeMustHalt) as refused:
            eventually(lambda: source.poll(0.2) != [], 30)
        return refused.value
    finally:
        source.close(2)


def made_anew(cluster: Cluster, settings: KafkaSettings) -> None:
    """Delete the topic and create another of its name."""
    cluster.delete(settings.topic)
    cluster.create(settings.topic, 1)


def test_the_broker_answers_and_counts_partitions(cluster: Cluster, parted: KafkaSettings) -> None:
    assert check_broker(parted) >= 1
    assert topic_partitions(parted, parted.topic) == 2


def test_a_topic_is_made_once(cluster: Cluster) -> None:
    cluster.needs(Ability.ADMIN)
    with cluster.topic(partitions=None) as settings:
        assert not topic_exists(settings, settings.topic)
        assert create_topic(settings, settings.topic, partitions=3)
        assert not create_topic(settings, settings.topic, partitions=3)
        assert topic_partitions(settings, settings.topic) == 3


def test_two_members_share_the_partitions_until_one_leaves(parted: KafkaSettings) -> None:
    both = {TopicPartition(parted.topic, 0), TopicPartition(parted.topic, 1)}
    one = Member(parted, Ledger())
    eventually(lambda: one.assigned == both, 20)
    other = Member(parted, Ledger())
    try:
        eventually(lambda: len(one.assigned) == 1 and one.assigned | other.assigned == both, deadline_s=40)
        other.leave()
        eventually(lambda: one.assigned == both, deadline_s=40)
    finally:
        one.leave()
        other.leave()


def test_members_that_come_and_go_leave_no_gap(parted: KafkaSettings) -> None:
    ledger = Ledger()
    one = Member(parted, ledger)
    fill_numbers(parted, 500)
    eventually(lambda: sum(ledger.offsets.values()) == 500, 20)
    other = Member(parted, ledger)
    try:
        eventually(lambda: bool(other.assigned), deadline_s=40)
        fill_numbers(parted, 500)
        eventually(lambda: sum(ledger.offsets.values()) == 1000, deadline_s=40)
        one.leave()
        fill_numbers(parted, 500)
        eventually(lambda: sum(ledger.offsets.values()) == 1500, deadline_s=40)
        assert ledger.gaps == []
    finally:
        one.leave()
        other.leave()


def test_an_offset_beyond_the_end_is_refused_by_name(settings: KafkaSettings) -> None:
    fill(settings, b"1", b"2")

    lost = refusal(source_of(settings, Start(1000)))

    assert isinstance(lost, OffsetLost)
    assert f"{settings.topic}/0: offset 1000 is not in the topic, which has 0 to 2" in str(lost)
    assert (lost.source, lost.offset) == (TopicPartition(settings.topic, 0), 1000)


def test_a_topic_of_another_id_is_refused_although_it_has_the_offset(
    cluster: Cluster, settings: KafkaSettings
) -> None:
    cluster.needs(Ability.TOPIC_IDS)
    fill(settings, b"old 1", b"old 2")
    before = source_of(settings)
    read(before, 2)
    known = before.topic_id(settings.topic)
    before.close(2)
    made_anew(cluster, settings)
    fill_numbers(settings, 9)

    recreated = refusal(source_of(settings, Start(2, known)))

    assert isinstance(recreated, TopicRecreated)
    assert recreated.known == known
    assert recreated.found not in (None, known)


def test_a_topic_made_anew_while_it_is_read_is_refused_within_seconds(
    cluster: Cluster, settings: KafkaSettings
) -> None:
    cluster.needs(Ability.TOPIC_IDS)
    fill(settings, b"old 1", b"old 2")
    source = source_of(settings)
    read(source, 2)

    made_anew(cluster, settings)
    fill_numbers(settings, 9)

    try:
        with pytest.raises(TopicRecreated):
            eventually(lambda: bool(source.poll(0.2)) and False, 20)
    finally:
        source.close(2)


def test_a_shorter_topic_made_anew_is_refused_whether_or_not_it_has_an_id(
    cluster: Cluster, settings: KafkaSettings
) -> None:
    fill_numbers(settings, 20)
    before = source_of(settings)
    read(before, 20)
    known = before.topic_id(settings.topic)
    before.close(2)
    made_anew(cluster, settings)
    fill(settings, b"new")

    refused = refusal(source_of(settings, Start(20, known)))

    assert isinstance(refused, OffsetLost | TopicRecreated)
    assert refused.offset == 20


def test_a_broker_without_ids_for_topics_gives_none(cluster: Cluster, settings: KafkaSettings) -> None:
    fill(settings, b"1")
    source = source_of(settings)
    read(source, 1)

    found = source.topic_id(settings.topic)
    source.close(2)

    assert (found is None) == (Ability.TOPIC_IDS in cluster.lacks)


def test_whatever_the_start_offsets_raise_comes_out_of_poll(settings: KafkaSettings) -> None:
    def ledger_is_gone(_: object) -> dict[TopicPartition, Start]:
        raise RuntimeError("the ledger is gone")

    source = KafkaSource(settings, start_offsets=ledger_is_gone)
    try:
        with pytest.raises(RuntimeError, match="the ledger is gone"):
            eventually(lambda: source.poll(0.2) != [], 20)
    finally:
        source.close(2)
