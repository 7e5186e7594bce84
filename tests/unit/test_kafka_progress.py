from daemon.kafka import _Progress

HERE, THERE = "0", "1"


def test_records_that_do_not_come_for_long_enough_are_a_stall() -> None:
    progress = _Progress(1.0)

    assert [progress.stalled(HERE, 5, 9, 0.4) for _ in range(4)] == [False, False, True, True]


def test_a_partition_without_further_records_is_idle() -> None:
    progress = _Progress(1.0)

    assert not any(progress.stalled(HERE, 9, 9, 0.4) for _ in range(9))


def test_progress_starts_the_count_anew() -> None:
    progress = _Progress(1.0)

    assert not any(progress.stalled(HERE, position, 99, 0.9) for position in range(9))


def test_time_that_was_not_spent_polling_does_not_count() -> None:
    progress = _Progress(1.0)

    assert not any(progress.stalled(HERE, 5, 9, 0.0) for _ in range(99))


def test_partitions_stall_by_themselves_and_forget_when_told() -> None:
    progress = _Progress(1.0)
    progress.stalled(HERE, 5, None, 0.9)
    assert not progress.stalled(THERE, 5, None, 0.9)

    progress.start_over()

    assert not progress.stalled(HERE, 5, None, 0.9)
