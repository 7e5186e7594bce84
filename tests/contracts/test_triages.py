"""What is kept of whether changes hurt, and which alarms that answers, on both databases."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from daemon.domain.alarms import Triage
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.erasures import ErasureLedger, Subject
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.triages import TriageLedger
from daemon.ledger.window_evidence import evidence_from, raised_windows
from daemon.ledger.windows import VerdictRow, WindowLedger
from monitors.types import Outcome
from tests.factories.ledger import NOW, a_batch, a_conversation

FOUND = Triage(
    window=1, reference_id=1, since_seq=11, version="chat-v0", outcome=Outcome.CANT_HELP, reason="figures change",
    numbers={"loss": 0.5}, examples=("c11", "c12"), at=NOW,
)  # fmt: skip
DECIDED = Decision(at=NOW, trigger=Trigger.DRIFT, action=Action.NONE, reason="so", since_seq=11)


@pytest.fixture
def windows(engine: Engine) -> WindowLedger:
    """A reference of ten, then twelve windows of ten; each raised an alarm as far as the detector is concerned."""
    windows = WindowLedger(engine)
    ReferenceLedger(engine).start("chat-v0", size=10, after_seq=0, now=NOW)
    IntakeLedger(engine, window_size=10).record(
        a_batch([a_conversation(n, user=f"u{n}") for n in range(130)])
    )
    while (window := windows.next_to_judge()) is not None:
        row = VerdictRow(
            window=window.number, monitor="e_detector", finding="drift", score=1.0, threshold=1.0, reason="so", triggers=True
        )  # fmt: skip
        windows.record_judgement(window, [row], finding="drift", reference_id=1, explanation=None, now=NOW)
    return windows


@pytest.fixture
def triages(engine: Engine, windows: WindowLedger) -> TriageLedger:
    return TriageLedger(engine)


def standing(windows: WindowLedger) -> int | None:
    alarm = windows.alarm(after_seq=0)
    return None if alarm is None else alarm.window


def test_a_triage_is_kept_as_it_was_found(triages: TriageLedger) -> None:
    triages.record(FOUND)

    assert triages.of_window(1) == triages.undecided() == replace(FOUND, id=1)
    assert triages.of_window(2) is None


def test_an_alarm_has_one_triage(triages: TriageLedger) -> None:
    triages.record(FOUND)
    triages.record(replace(FOUND, outcome=Outcome.TRAIN))

    assert [found.outcome for found in triages.newest(9)] == [Outcome.CANT_HELP]


def test_numbers_that_json_lacks_are_left_out(triages: TriageLedger) -> None:
    triages.record(replace(FOUND, numbers={"loss": 0.5, "loss_upper": float("inf"), "lesson": float("nan")}))

    assert triages.newest(1)[0].numbers == {"loss": 0.5}


def test_an_alarm_stands_until_a_decision_takes_its_triage_into_account(
    engine: Engine, triages: TriageLedger, windows: WindowLedger
) -> None:
    triages.record(FOUND)
    assert standing(windows) == 1

    decision = DecisionLedger(engine).decide(DECIDED, triage=FOUND)

    assert standing(windows) != 1
    assert triages.undecided() is None
    assert triages.newest(1)[0].decision_id == decision.id


@pytest.mark.parametrize("outcome", [Outcome.TRAIN, Outcome.UNCLEAR])
def test_where_it_is_trained_the_alarm_stands_until_it_is(
    engine: Engine, triages: TriageLedger, windows: WindowLedger, outcome: Outcome
) -> None:
    triages.record(replace(FOUND, outcome=outcome))

    DecisionLedger(engine).decide(DECIDED, triage=FOUND)

    assert standing(windows) == 1


def test_the_same_change_comes_again_after_ever_longer_pauses(
    engine: Engine, triages: TriageLedger, windows: WindowLedger
) -> None:
    decisions, found = DecisionLedger(engine), []
    while (window := standing(windows)) is not None:
        found.append(window)
        again = replace(FOUND, window=window)
        triages.record(again)
        decisions.decide(DECIDED, triage=again)

    assert found == [1, 6]  # and the third is due at window 15
    assert triages.count_answered(1) == 2


def test_a_harmless_change_is_told_once_it_is_decided_and_until_the_reference_is_another(
    engine: Engine, triages: TriageLedger, windows: WindowLedger
) -> None:
    harmless = replace(FOUND, outcome=Outcome.IGNORE)
    triages.record(harmless)
    assert triages.harmless_change() is None

    DecisionLedger(engine).decide(DECIDED, triage=harmless)
    assert triages.harmless_change() == triages.of_window(1)
    ReferenceLedger(engine).start("chat-v0", size=10, after_seq=10, now=NOW)

    assert triages.harmless_change() is None
    assert standing(windows) is None


def test_the_triage_behind_a_decision_is_found(engine: Engine, triages: TriageLedger) -> None:
    triages.record(FOUND)

    assert triages.of_decision(DECIDED) == triages.of_window(1)
    assert triages.of_decision(replace(DECIDED, since_seq=12)) is None


def test_the_forgotten_are_no_examples(engine: Engine, triages: TriageLedger) -> None:
    triages.record(FOUND)
    who = Subject(kind="user", id="u11", hash="u11")
    ErasureLedger(engine).erase(who, by="ada", why="asked", now=NOW)
    assert triages.newest(1)[0].examples == ("c12",)

    triages.record(replace(FOUND, window=2))

    assert triages.newest(1)[0].examples == ("c12",)


def test_an_alarm_that_was_declined_is_known_with_the_windows_that_are_passed_over(
    engine: Engine, triages: TriageLedger
) -> None:
    triages.record(FOUND)
    assert (triages.declined(1, from_window=1), triages.ignored_until(1)) == (None, 0)

    decision = DecisionLedger(engine).decide(DECIDED, triage=FOUND)

    assert triages.declined(1, from_window=1) == replace(FOUND, id=1, decision_id=decision.id)
    assert triages.ignored_until(1) == 5
    assert triages.declined(1, from_window=2) is None
    assert triages.declined(2, from_window=1) is None


def test_an_alarm_that_was_trained_on_in_the_end_is_not_declined(
    engine: Engine, triages: TriageLedger
) -> None:
    triages.record(FOUND)
    decisions = DecisionLedger(engine)
    decisions.decide(DECIDED, triage=FOUND)

    decisions.decide(replace(DECIDED, trigger=Trigger.MANUAL, action=Action.TRAIN), triage=FOUND)

    assert triages.declined(1, from_window=1) is None


def test_windows_with_an_alarm_are_read_in_order_the_newest_of_them(
    engine: Engine, windows: WindowLedger
) -> None:
    with engine.connect() as connection:
        found = raised_windows(connection, 1, 2)
        other = raised_windows(connection, 2, 2)
        evidence = [each.window for each in evidence_from(connection, 1, 11)]

    assert [(one.number, one.first_seq, one.seq, one.since_seq) for one in found] == [
        (11, 111, 120, 111),
        (12, 121, 130, 121),
    ]
    assert other == []
    assert evidence == [11, 12]
