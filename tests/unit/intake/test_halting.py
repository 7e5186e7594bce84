import pytest

from daemon.domain.halts import HaltKind
from daemon.domain.streams import (
    BatchTooLarge,
    FetchStalled,
    IntakeMustHalt,
    OffsetLost,
    TopicPartition,
    TopicRecreated,
)
from daemon.intake.halting import halt_for
from tests.factories.ledger import NOW

PART = TopicPartition("talks", 3)
ERRORS = {
    HaltKind.OFFSET_LOST: OffsetLost(PART, 7, (9, 12)),
    HaltKind.TOPIC_RECREATED: TopicRecreated(PART, 7, known="a", found="b"),
    HaltKind.FETCH_STALLED: FetchStalled(PART, 7, "nothing comes"),
    HaltKind.BATCH_TOO_LARGE: BatchTooLarge(PART, 7, next_offset=9, limit=10**6),
}


#: The command that each reason names.
COMMANDS = {
    HaltKind.OFFSET_LOST: "retuned intake reset -m",
    HaltKind.TOPIC_RECREATED: "retuned intake reset -m",
    HaltKind.FETCH_STALLED: "retuned intake seek talks/3 8 -m",
    HaltKind.BATCH_TOO_LARGE: "retuned intake seek talks/3 9 -m",
}


@pytest.mark.parametrize("kind", ERRORS)
def test_what_stops_a_source_is_a_halt_that_names_the_place_and_the_remedy(kind: HaltKind) -> None:
    halt = halt_for(ERRORS[kind], NOW)

    assert (halt.kind, halt.topic, halt.partition) == (kind, "talks", 3)
    assert COMMANDS[kind] in halt.reason


def test_every_error_that_stops_a_source_has_a_kind() -> None:
    assert {type(error) for error in ERRORS.values()} == set(IntakeMustHalt.__subclasses__())


def test_what_can_not_be_read_is_passed_over_as_a_whole() -> None:
    assert "seek talks/3 9 -m" in str(ERRORS[HaltKind.BATCH_TOO_LARGE])
    assert "seek talks/3 9 -m" in str(FetchStalled(PART, 7, "it is broken", next_offset=9))
    assert "seek talks/3 8 -m" in str(FetchStalled(PART, 7, "it is broken"))
