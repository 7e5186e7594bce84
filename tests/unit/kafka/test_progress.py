from daemon.domain.streams import TopicPartition
from daemon.kafka.progress import Progress

HERE, THERE = TopicPartition("t", 0), TopicPartition("t", 1)


def a_progress() -> Progress:
    progress = Progress(1.0, longest_silence_s=3.0)
    progress.answered(0.0)
    return progress


def polled(progress: Progress, times: int, *, every: float = 0.4, end: int | None = 9) -> list[bool]:
    """Poll at one position, with an answer of the broker after each time."""
    found = []
    for number in range(times):
        found.append(progress.stalled(HERE, 5, end, every))
        progress.answered((number + 1) * every)
    return found


def test_records_that_do_not_come_for_long_enough_are_a_stall() -> None:
    assert polled(a_progress(), 5) == [False, False, False, False, True]


def test_so_are_those_of_a_topic_whose_end_is_unknown() -> None:
    assert polled(a_progress(), 5, end=None)[-1]


def test_a_partition_without_further_records_is_idle() -> None:
    assert not any(polled(a_progress(), 9, end=5))


def test_progress_starts_the_count_anew() -> None:
    progress = a_progress()

    for position in range(9):
        assert not progress.stalled(HERE, position, 99, 0.9)
        progress.answered(float(position + 1))


def test_time_that_was_not_spent_polling_does_not_count() -> None:
    assert not any(polled(a_progress(), 99, every=0.0))


def test_time_counts_once_the_broker_has_answered() -> None:
    progress = a_progress()

    assert not any(progress.stalled(HERE, 5, 9, 0.4) for _ in range(99))
    progress.answered(1.5)
    assert progress.stalled(HERE, 5, 9, 0.0)


def test_time_in_which_the_broker_was_silent_does_not_count() -> None:
    progress = a_progress()
    for _ in range(99):
        progress.stalled(HERE, 5, 9, 0.4)

    progress.answered(40.0)

    assert not progress.stalled(HERE, 5, 9, 0.0)


def test_time_in_which_the_leader_was_never_connected_does_not_count() -> None:
    progress = a_progress()
    for number in range(9):
        assert not progress.stalled(HERE, 5, 9, 0.4, reachable=False)
        progress.answered(number + 1.0)


def test_a_leader_that_comes_and_goes_is_there() -> None:
    progress = a_progress()
    for number in range(9):
        progress.stalled(HERE, 5, 9, 0.4, reachable=True)
        progress.stalled(HERE, 5, 9, 0.4, reachable=False)
        progress.answered(number + 1.0)

    assert progress.stalled(HERE, 5, 9, 0.4, reachable=False)


def test_an_answer_is_heard_once() -> None:
    progress = a_progress()
    for _ in range(9):
        progress.answered(0.0)
        assert not progress.stalled(HERE, 5, 9, 0.4)


def test_partitions_stall_by_themselves_and_forget_when_told() -> None:
    progress = a_progress()
    polled(progress, 9)
    assert not progress.stalled(THERE, 5, None, 0.9)

    progress.start_over()

    assert not progress.stalled(HERE, 5, None, 0.9)
