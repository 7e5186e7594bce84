from datetime import timedelta
from pathlib import Path

import pytest

from daemon.domain.child_work import ChildWork
from daemon.domain.decisions import Action, Trigger
from daemon.domain.runs import RunState
from daemon.domain.spans import Span
from daemon.ledger.bound_facts import LEDGER_ID, bound_facts
from daemon.ledger.ledger_id import LedgerId
from daemon.ledger.trace_facts import TraceFacts
from daemon.views.trace import LineTraces
from tests.factories.daemon import LINE, START, Line, a_line

LONG_AGO = START - timedelta(days=1)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    line = a_line(tmp_path)
    LedgerId(line.stores.engine).note_opened()
    return line


def traces(line: Line) -> LineTraces:
    """As a process that has just started reads them."""
    return LineTraces(
        TraceFacts(line.stores.engine), line.stores.versions,
        ledger=bound_facts(line.stores.engine)[LEDGER_ID], model_line=LINE,
    )  # fmt: skip


def spans(line: Line) -> list[Span]:
    return list(traces(line).ended_since(LONG_AGO))


def one(found: list[Span], name: str) -> Span:
    [span] = [span for span in found if span.name == name]
    return span


def test_a_promotion_is_in_the_trace_of_the_change_that_led_to_it(line: Line) -> None:
    line.promoted()
    found = spans(line)

    assert len({span.trace for span in found}) == 1
    chain = {name: one(found, name) for name in ("decision", "plan", "run", "gate", "promotion")}
    assert chain["plan"].parent == chain["run"].parent == chain["decision"].id
    assert chain["gate"].parent == chain["promotion"].parent == chain["run"].id
    assert chain["run"].start == chain["plan"].end
    assert chain["run"].attributes == {"model_line": LINE, "run": "r1", "state": "finished"}
    assert chain["promotion"].attributes["version"] == f"{LINE}-v1"
    assert [span.name for span in found if span.start > span.end] == []


def test_each_process_gives_the_same_ids(line: Line) -> None:
    line.promoted()
    before = {span.id: span.trace for span in spans(line)}
    line.stores.engine.dispose()

    assert {span.id: span.trace for span in spans(line)} == before


def test_what_ended_before_is_not_told_again(line: Line) -> None:
    line.promoted()
    promotion = one(spans(line), "promotion")

    assert [span.name for span in traces(line).ended_since(promotion.end)] == ["promotion"]


def test_a_training_without_drift_begins_a_trace_of_its_own(line: Line) -> None:
    line.add_conversations(50)
    run = line.start_run(line.decide(Action.TRAIN, "asked for", trigger=Trigger.MANUAL))
    line.stores.runs.end(
        run.id, RunState.FAILED, now=line.clock(), error="Diverged: the loss of 'hello' is nan"
    )
    found = spans(line)

    assert one(found, "decision").parent is None
    assert one(found, "run").error == "Diverged"
    assert "hello" not in repr(found)


def test_the_work_of_a_child_is_below_its_run(line: Line) -> None:
    line.promoted()
    run = one(spans(line), "run")
    told = ChildWork(name="trainer training", start=run.start, end=run.end, run="r1", attributes={"step": 3})
    phase, score = (
        traces(line).of_child(work)
        for work in (told, ChildWork(name="scorer score", start=run.end, end=run.end))
    )

    assert phase is not None
    assert score is not None
    assert (phase.trace, phase.parent, score.parent) == (run.trace, run.id, run.id)
    assert phase.attributes == {"model_line": LINE, "step": 3}


def test_work_without_a_run_belongs_to_no_trace(line: Line) -> None:
    assert traces(line).of_child(ChildWork(name="scorer score", start=START, end=START)) is None
    assert spans(line) == []
