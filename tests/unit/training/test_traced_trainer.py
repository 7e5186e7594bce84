from datetime import timedelta
from typing import cast

from daemon.domain.child_work import ChildWorkLog
from daemon.training.protocols import TrainerChild
from daemon.training.traced_trainer import TracedTraining
from learners.types import Event, Failure
from tests.factories.ledger import NOW
from tests.factories.metrics import a_progress


class Child:
    """Tells these events, a list a poll."""

    pid, job = 7, None

    def __init__(self, *polls: list[Event]) -> None:
        self._polls = [*polls]

    def poll(self) -> list[Event]:
        return self._polls.pop(0)


def test_each_phase_of_a_training_is_noted_once_it_ends() -> None:
    now, works = NOW, ChildWorkLog()
    failure = Failure(error="Diverged", message="the loss", permanent=True)
    child = Child([], [a_progress(step=1)], [a_progress(step=4)], [failure])
    training = TracedTraining(cast("TrainerChild", child), "r3", works, clock=lambda: now)
    for _ in range(4):
        now += timedelta(seconds=1)
        training.poll()

    starting, phase = works.take()
    assert (starting.name, phase.name, phase.run) == ("trainer starting", "trainer training", "r3")
    assert (phase.start, phase.end, phase.attributes["step"]) == (starting.end, now, 4)
    assert works.take() == []
