from datetime import UTC, datetime

import pytest

from daemon.domain.streams import Start, TopicPartition
from daemon.intake.resetting import BadReset, Edge, parse_target, plan_reset
from daemon.kafka.offsets import TopicOffsets

TOPIC = "conversations"
#: Three partitions, each with the offsets 10 to 99.
FOUND = TopicOffsets(
    topic_id="new",
    first=dict.fromkeys(range(3), 10),
    end=dict.fromkeys(range(3), 100),
    at={0: 50, 1: 60, 2: 100},
)


def stored(**offsets: tuple[int, str | None]) -> dict[TopicPartition, Start]:
    return {TopicPartition(TOPIC, int(name[1:])): Start(*start) for name, start in offsets.items()}


def afters(plan: object) -> dict[int, int]:
    return {entry.partition: entry.after for entry in plan.partitions}  # type: ignore[attr-defined]


def test_by_default_only_partitions_whose_next_record_is_missing_move() -> None:
    starts = stored(p0=(50, "new"), p1=(5, "new"), p2=(120, "new"))

    plan = plan_reset(TOPIC, starts, FOUND, None)

    assert afters(plan) == {0: 50, 1: 10, 2: 10}
    assert [(entry.skipped, entry.read_again) for entry in plan.partitions] == [(0, 0), (5, 0), (0, 90)]


def test_every_partition_of_a_topic_made_anew_is_read_from_its_start() -> None:
    starts = stored(p0=(50, "old"), p1=(50, "old"), p2=(50, None), p3=(7, "old"))

    plan = plan_reset(TOPIC, starts, FOUND, None)

    assert afters(plan) == {0: 10, 1: 10, 2: 50}  # the id of the last is unknown, and it has the offset
    assert [entry.recreated for entry in plan.partitions] == [True, True, False]
    assert plan.gone == (TopicPartition(TOPIC, 3),)
    assert plan.topic_id == "new"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Edge.EARLIEST, {0: 10, 1: 10, 2: 10}),
        (Edge.LATEST, {0: 100, 1: 100, 2: 100}),
        (20, {0: 20, 1: 20, 2: 20}),
        (datetime(2026, 11, 30, tzinfo=UTC), {0: 50, 1: 60, 2: 100}),
    ],
)
def test_a_target_moves_all_partitions_read_or_not(target: object, expected: dict[int, int]) -> None:
    plan = plan_reset(TOPIC, stored(p0=(50, "new")), FOUND, target)  # type: ignore[arg-type]

    assert afters(plan) == expected


def test_one_partition_can_be_moved_alone() -> None:
    plan = plan_reset(TOPIC, stored(p0=(50, "new"), p3=(1, "old")), FOUND, Edge.LATEST, only=0)

    assert afters(plan) == {0: 100}
    assert plan.partitions[0].skipped == 50
    assert plan.gone == ()


def test_what_the_topic_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(
        BadReset, match=r"conversations has no partition 3; it has conversations/0 to conversations/2"
    ):
        plan_reset(TOPIC, {}, FOUND, None, only=3)
    with pytest.raises(
        BadReset, match=r"conversations/0 has the offsets 10 to 100 \(end excluded\), not 101"
    ):
        plan_reset(TOPIC, {}, FOUND, 101)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("earliest", Edge.EARLIEST),
        ("latest", Edge.LATEST),
        ("17", 17),
        ("2026-11-30T08:00Z", datetime(2026, 11, 30, 8, tzinfo=UTC)),
    ],
)
def test_targets_are_read_as_they_are_typed(text: str | None, expected: object) -> None:
    assert parse_target(text) == expected


@pytest.mark.parametrize("text", ["newest", "-1", "2026-11-30T08:00", ""])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(BadReset):
        parse_target(text)
