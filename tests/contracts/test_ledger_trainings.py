import pytest
from sqlalchemy import Engine

from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.runs import Run, RunState
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.trainings import TrainingLedger
from tests.factories.ledger import NOW, a_batch, some_conversations


@pytest.fixture
def trainings(engine: Engine) -> TrainingLedger:
    IntakeLedger(engine, window_size=20).record(a_batch(some_conversations(0, 10)))
    return TrainingLedger(engine)


def a_decision() -> Decision:
    return Decision(at=NOW, trigger=Trigger.DRIFT, action=Action.TRAIN, reason="drift", since_seq=3)


def a_run(trainings: TrainingLedger, number: int = 1, until_seq: int = 9) -> Run:
    decision = trainings.decide(a_decision())
    assert decision.id is not None
    run = Run(
        id=f"r{number}", decision_id=decision.id, state=RunState.RUNNING, request={"seed": 1}, started_at=NOW,
        since_seq=3, until_seq=until_seq,
    )  # fmt: skip
    trainings.start_run(run)
    return run


def test_a_decision_reads_back_with_its_number(trainings: TrainingLedger) -> None:
    decision = trainings.decide(a_decision())

    assert decision.id is not None
    assert trainings.decision(decision.id) == decision
    assert trainings.recent_decisions(1) == [decision]


def test_a_decision_answers_the_newest_request_and_older_ones(trainings: TrainingLedger) -> None:
    trainings.ask(by="ada", reason="first", now=NOW)
    trainings.ask(by="bob", reason="second", now=NOW)
    wish = trainings.open_request()
    assert wish is not None

    trainings.decide(a_decision(), answers=wish)

    assert wish.reason == "second"
    assert trainings.open_request() is None


def test_a_request_that_comes_after_the_decision_stays_open(trainings: TrainingLedger) -> None:
    trainings.ask(by="ada", reason="first", now=NOW)
    wish = trainings.open_request()
    trainings.ask(by="bob", reason="second", now=NOW)

    trainings.decide(a_decision(), answers=wish)

    still = trainings.open_request()
    assert still is not None
    assert still.reason == "second"


def test_a_run_is_running_until_it_ends(trainings: TrainingLedger) -> None:
    run = a_run(trainings)
    assert trainings.running() == run

    trainings.end_run("r1", RunState.FINISHED, now=NOW, result={"loss": 1.5})

    assert trainings.running() is None
    ended = trainings.run("r1")
    assert ended is not None
    assert (ended.state, ended.result, ended.ended_at) == (RunState.FINISHED, {"loss": 1.5}, NOW)
    assert trainings.last_ended() == NOW


def test_an_ended_run_stays_as_it_is(trainings: TrainingLedger) -> None:
    a_run(trainings)
    trainings.end_run("r1", RunState.FINISHED, now=NOW)
    trainings.end_run("r1", RunState.FAILED, now=NOW, error="late")

    run = trainings.run("r1")
    assert run is not None
    assert run.state is RunState.FINISHED


def test_only_finished_runs_count_as_learned(trainings: TrainingLedger) -> None:
    a_run(trainings, 1, until_seq=5)
    trainings.end_run("r1", RunState.FINISHED, now=NOW)
    a_run(trainings, 2, until_seq=9)
    trainings.end_run("r2", RunState.FAILED, now=NOW)

    assert trainings.learned_until() == 5
    assert trainings.next_run_number() == 3


def test_scores_are_kept_per_version(trainings: TrainingLedger) -> None:
    trainings.add_scores("chat-v0", {1: (2.5, 4), 2: (1.0, 2)})
    trainings.add_scores("chat-v1", {1: (2.0, 4)})

    assert trainings.scores("chat-v0", [1, 3]) == {1: (2.5, 4)}
    assert trainings.scores("chat-v1", [1, 2]) == {1: (2.0, 4)}
