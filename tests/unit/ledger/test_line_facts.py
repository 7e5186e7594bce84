"""The facts that alerts watch, as the ledger tells them."""

from dataclasses import asdict
from pathlib import Path

import pytest

from daemon.domain.runs import RunState
from daemon.ledger.line_facts import LineFacts, read_line_facts
from daemon.release.orders import reject_version
from registry.types import Actor, GateVerdict, PromotionKind
from tests.factories.daemon import Line, a_line
from tests.factories.ledger import a_batch, a_feedback


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return a_line(tmp_path)


def facts(line: Line) -> LineFacts:
    return read_line_facts(line.stores, line.settings)


def test_a_line_after_its_first_start_has_conversations_and_nothing_else(line: Line) -> None:
    found = asdict(facts(line))

    assert found.pop("last_conversation") is not None
    kind, _ = found.pop("live_since")
    assert kind is PromotionKind.BOOTSTRAP
    assert found == {
        "last_feedback": None, "ceiling_ratio": pytest.approx(0.01), "last_run": None, "gate_open_since": None,
    }  # fmt: skip


def test_feedback_is_dated_by_its_arrival(line: Line) -> None:
    at = line.clock()
    line.stores.intake.record(a_batch(feedback=[a_feedback(line.read, "c3")], at=at))

    assert facts(line).last_feedback == at


def test_a_run_counts_once_it_has_ended(line: Line) -> None:
    run = line.start_run(line.drift())
    assert facts(line).last_run is None

    line.stores.runs.end(run.id, RunState.FAILED, now=line.clock(), error="Diverged: loss is nan")

    assert facts(line).last_run is RunState.FAILED


def test_a_candidate_waits_for_the_gate_until_it_is_decided_on(line: Line) -> None:
    name = line.candidate()
    waits = facts(line).gate_open_since
    assert waits == line.stores.versions.version(name).created_at

    line.gate(name, GateVerdict.INCONCLUSIVE)
    assert facts(line).gate_open_since == waits

    line.promote(name, line.gate(name))
    assert facts(line).gate_open_since is None
    assert (facts(line).live_since or ("",))[0] is PromotionKind.PROMOTION


def test_a_candidate_that_an_operator_rejected_waits_for_nothing(line: Line) -> None:
    ada = Actor(kind="operator", name="ada")
    reject_version(line.stores, line.candidate(), reason="rude", by=ada, clock=line.clock)

    assert facts(line).gate_open_since is None


def test_a_candidate_that_the_gate_has_given_up_on_waits_for_nothing(line: Line) -> None:
    name = line.candidate()
    for _ in range(line.settings.gate.max_looks):
        line.gate(name, GateVerdict.INCONCLUSIVE)

    assert facts(line).gate_open_since is None
