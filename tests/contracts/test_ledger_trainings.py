import pytest
from sqlalchemy import Engine

from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.runs import Run, RunState
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.runs import RunLedger
from tests.factories.ledger import NOW, a_batch, some_conversations


@pytest.fixture(autouse=True)
def ten_conversations(engine: Engine) -> None:
    IntakeLedger(engine, window_size=20).record(a_batch(some_conversations(0, 10)))


@pytest.fixture
def decisions(engine: Engine) -> DecisionLedger:
    return DecisionLedger(engine)


@pytest.fixture
def runs(engine: Engine) -> RunLedger:
    return RunLedger(engine)


def a_decision() -> Decision:
    return Decision(at=NOW, trigger=Trigger.DRIFT, action=Action.TRAIN, reason="drift", since_seq=3)


def a_run(engine: Engine, number: int = 1, until_seq: int = 9) -> Run:
    decision = DecisionLedger(engine).decide(a_decision())
    assert decision.id is not None
    run = Run(
        id=f"r{number}", decision_id=decision.id, state=RunState.RUNNING, request={"seed": 1}, started_at=NOW,
        since_seq=3, until_seq=until_seq,
    )  # fmt: skip
    RunLedger(engine).start(run)
    return run


def test_a_decision_reads_back_with_its_number(decisions: DecisionLedger) -> None:
    decision = decisions.decide(a_decision())

    assert decision.id is not None
    assert decisions.decision(decision.id) == decision
    assert decisions.recent(1) == [decision]


def test_a_decision_answers_the_newest_request_and_older_ones(decisions: DecisionLedger) -> None:
    decisions.request_training(by="ada", reason="first", now=NOW)
    decisions.request_training(by="bob", reason="second", now=NOW)
    wish = decisions.open_request()
    assert wish is not None

    decisions.decide(a_decision(), answers=wish)

    assert wish.reason == "second"
    assert decisions.open_request() is None


def test_a_request_that_comes_after_the_decision_stays_open(decisions: DecisionLedger) -> None:
    decisions.request_training(by="ada", reason="first", now=NOW)
    wish = decisions.open_request()
    decisions.request_training(by="bob", reason="second", now=NOW)

    decisions.decide(a_decision(), answers=wish)

    still = decisions.open_request()
    assert still is not None
    assert still.reason == "second"


def test_a_run_is_running_until_it_ends(engine: Engine, runs: RunLedger) -> None:
    run = a_run(engine)
    assert runs.running() == run

    runs.end("r1", RunState.FINISHED, now=NOW, result={"loss": 1.5})

    assert runs.running() is None
    ended = runs.run("r1")
    assert ended is not None
    assert (ended.state, ended.result, ended.ended_at) == (RunState.FINISHED, {"loss": 1.5}, NOW)
    assert runs.last_ended() == NOW


def test_an_ended_run_stays_as_it_is(engine: Engine, runs: RunLedger) -> None:
    a_run(engine)
    runs.end("r1", RunState.FINISHED, now=NOW)
    runs.end("r1", RunState.FAILED, now=NOW, error="late")

    run = runs.run("r1")
    assert run is not None
    assert run.state is RunState.FINISHED


def test_only_finished_runs_count_as_learned(engine: Engine, runs: RunLedger) -> None:
    a_run(engine, 1, until_seq=5)
    runs.end("r1", RunState.FINISHED, now=NOW)
    a_run(engine, 2, until_seq=9)
    runs.end("r2", RunState.FAILED, now=NOW)

    assert runs.learned_until() == 5
    assert runs.next_number() == 3
