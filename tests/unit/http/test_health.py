import pytest

from daemon.http.health import Component, Health


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock=clock, components=(Component.BROKER, Component.SCORER), stalled_after_s=60.0)


def test_starting_up_counts_as_alive(health: Health, clock: Clock) -> None:
    clock.now += 60.0

    assert health.live().ok


def test_a_loop_that_makes_no_turn_is_stalled(health: Health, clock: Clock) -> None:
    clock.now += 60.5

    answer = health.live()

    assert not answer.ok
    assert answer.body == {"status": "stalled", "seconds_since_turn": 60.5, "stalled_after_seconds": 60.0}


def test_a_turn_makes_it_alive_again(health: Health, clock: Clock) -> None:
    clock.now += 100.0
    health.beat()

    assert health.live().ok


def test_what_never_reported_is_not_ready(health: Health) -> None:
    health.report(Component.BROKER, None)

    answer = health.ready()

    assert not answer.ok
    assert answer.body == {"status": "not ready", "problems": {"scorer": "has not reported yet"}}


def test_ready_when_all_components_work(health: Health) -> None:
    for component in (Component.BROKER, Component.SCORER):
        health.report(component, None)

    answer = health.ready()

    assert answer.ok
    assert answer.body == {"status": "ready", "problems": {}}


def test_the_latest_problem_of_each_component_is_told(health: Health) -> None:
    health.report(Component.BROKER, "no answer")
    health.report(Component.BROKER, "refused")
    health.report(Component.SCORER, None)
    health.report(Component.SCORER, "died")

    assert health.ready().body["problems"] == {"broker": "refused", "scorer": "died"}


def test_a_problem_does_not_make_it_dead(health: Health) -> None:
    health.report(Component.BROKER, "no answer")

    assert health.live().ok


def test_the_answer_names_the_model_line(clock: Clock) -> None:
    health = Health(clock=clock, components=(), model_line="chat")

    assert health.ready().body == {"status": "ready", "model_line": "chat", "problems": {}}
