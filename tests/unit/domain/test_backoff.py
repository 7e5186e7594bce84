from daemon.domain.backoff import Backoff


def attempts(backoff: Backoff, seconds: int) -> list[int]:
    """The seconds at which an attempt is made, each of which fails."""
    made = []
    for second in range(seconds + 1):
        if backoff.ready(second):
            made.append(second)
            backoff.fail(second)
    return made


def test_attempts_become_rarer_up_to_the_longest_wait() -> None:
    assert attempts(Backoff(10, 40), 150) == [0, 10, 30, 70, 110, 150]


def test_attempts_are_evenly_spaced_without_a_longest_wait() -> None:
    assert attempts(Backoff(10), 30) == [0, 10, 20, 30]


def test_a_success_starts_over() -> None:
    backoff = Backoff(10, 40)
    attempts(backoff, 25)

    backoff.reset()

    assert backoff.failures == 0
    assert attempts(backoff, 10) == [0, 10]


def test_a_clock_that_is_set_back_ends_the_wait() -> None:
    backoff = Backoff(10)
    backoff.fail(1_000)

    assert backoff.ready(900)


def test_jitter_shortens_a_wait_to_half_at_most() -> None:
    shortest, longest = Backoff(4.0, jitter=lambda: 0.0), Backoff(4.0, jitter=lambda: 1.0)

    assert (shortest.fail(0.0), longest.fail(0.0)) == (2.0, 4.0)


def test_who_asks_for_a_longer_wait_gets_it() -> None:
    backoff = Backoff(1.0, 8.0)

    assert backoff.fail(0.0, at_least_s=60.0) == 60.0
    assert not backoff.ready(59.0)
    assert backoff.fail(60.0) == 2.0  # and the next failure does not double it
