from daemon.domain.backoff import Backoff


def asked_at(patience: Backoff, seconds: int) -> list[int]:
    return [second for second in range(1, seconds + 1) if patience.runs_out(1.0)]


def test_it_runs_out_ever_more_rarely() -> None:
    assert asked_at(Backoff(10, 40), 150) == [10, 30, 70, 110, 150]


def test_it_starts_over_once_what_was_waited_for_has_come() -> None:
    patience = Backoff(10, 40)
    asked_at(patience, 25)

    patience.start_over()

    assert asked_at(patience, 10) == [10]
