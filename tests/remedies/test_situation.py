"""What a change waits for: the commands that the situation names answer it."""

import pytest

from daemon.domain.situation import Answer, AnswerFate, OpenChange, Situation, SituationFacts, situation_of
from daemon.views.status import status_view
from registry.types import GateVerdict
from tests.factories.daemon import Line
from tests.remedies.cases import mends
from tests.remedies.operator import Operator
from tests.unit.domain.test_situation import CONFIRMED

SITUATION = "daemon/domain/situation.py"
LASTS = OpenChange(window=2, newest_window=3, quiet=0, dropped=False, ended=False)
STILL_THERE, TRAIN = "is still there", "retuned train -m REASON"


def situation(line: Line) -> Situation:
    return status_view(line.stores, line.settings, line.now).situation


@mends(TRAIN, SITUATION)
@mends("retuned show {}", SITUATION)
@mends("retuned promote {} --force -m REASON", SITUATION)
@pytest.mark.parametrize("remedy", [TRAIN, "retuned promote {} --force -m REASON"])
def test_a_change_whose_version_the_gate_refused_is_answered(operator: Operator, remedy: str) -> None:
    operator.line.gate(operator.line.candidate(), GateVerdict.REJECT)
    printed = operator.status()
    assert STILL_THERE in printed

    assert "reject" in operator.follows(printed, "retuned show {}").stdout
    operator.follows(printed, remedy)

    assert situation(operator.line).state != "unresolved" or operator.line.stores.decisions.open_request()
    if "promote" in remedy:
        assert STILL_THERE not in operator.status()


def test_a_change_that_no_policy_trains_on_is_trained_on_by_an_operator(operator: Operator) -> None:
    line = operator.line
    said = situation_of(SituationFacts(change=LASTS, alarm=CONFIRMED, on_drift=False))

    operator.follows(said.remedy or "", TRAIN)

    assert line.stores.decisions.open_request() is not None


@mends("retuned why", SITUATION)
@pytest.mark.parametrize("fate", [None, AnswerFate.REJECTED])
def test_what_a_training_waits_for_is_told_by_why(operator: Operator, fate: AnswerFate | None) -> None:
    answer = None if fate is None else Answer(run="r1", fate=fate, version="support-bot-v1", short="v1")
    facts = SituationFacts(change=LASTS, alarm=CONFIRMED, answer=answer, triages=False)
    operator.line.drift()
    operator.types("pause", "-m", "the fair")

    told = operator.follows(situation_of(facts).next or "", "retuned why").stdout

    assert "paused" in told


@mends("retuned reference show", SITUATION)
def test_a_reference_that_does_not_follow_is_shown(operator: Operator) -> None:
    operator.types("reference", "freeze", "-m", "the fair")
    live = Answer(run="r1", fate=AnswerFate.LIVE, version="support-bot-v1", short="v1")
    said = situation_of(SituationFacts(change=LASTS, answer=live))

    shown = operator.follows(said.next or "", "retuned reference show").stdout

    assert "the fair" in shown
