"""What is going on, by all combinations of facts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.alarms import Alarm, Triage
from daemon.domain.situation import (
    CALM,
    Answer,
    AnswerFate,
    ComparedWindow,
    OpenChange,
    SituationFacts,
    SituationState,
    decision_reason,
    sentence_of,
    situation_of,
)
from monitors.types import Outcome

NOW = datetime(2026, 11, 30, tzinfo=UTC)
STABLE = ComparedWindow(number=9, finding="stable", drifting=())
DIFFERS = ComparedWindow(number=9, finding="stable", drifting=("columns",))
CHANGE = OpenChange(window=6, newest_window=6, quiet=0, dropped=False, ended=False)
LASTS = OpenChange(window=6, newest_window=9, quiet=0, dropped=False, ended=False)
DROPPED = OpenChange(window=6, newest_window=6, quiet=3, dropped=True, ended=True)
ENDED = OpenChange(window=6, newest_window=6, quiet=8, dropped=False, ended=True)
SUSPECTED = Alarm(window=6, first_seq=601, reason="the words changed", at=NOW, confirmed=False)
CONFIRMED = Alarm(window=6, first_seq=601, reason="the words changed", at=NOW)
TRIAGED = Triage(
    window=6, reference_id=1, since_seq=601, version="chat-v0", outcome=Outcome.TRAIN, reason="it hurts",
    numbers={}, examples=(), at=NOW,
)  # fmt: skip


def answer(fate: AnswerFate) -> Answer:
    return Answer(run="r1", fate=fate, version="chat-v1", short="v1", reason="not better")


ANSWERS = st.sampled_from(AnswerFate).map(answer)
#: Facts as a ledger may hold them: an open alarm is about a change that was not dropped.
QUIET = st.builds(
    SituationFacts,
    collecting=st.none() | st.just("has 3 of 50 conversations"),
    live=st.just("chat-v1"),
    awaits_reference=st.booleans(),
    compared=st.sampled_from([None, STABLE, DIFFERS]),
)
CHANGED = st.builds(
    SituationFacts,
    live=st.just("chat-v0"),
    compared=st.sampled_from([STABLE, DIFFERS]),
    change=st.sampled_from([CHANGE, LASTS, DROPPED, ENDED]),
    work=st.none() | st.just("run r2 learns from it"),
    answer=st.none() | ANSWERS,
    declined=st.none() | st.just("answers change with the facts"),
    on_drift=st.booleans(),
    triages=st.booleans(),
)
ALARMED = st.builds(
    SituationFacts,
    live=st.just("chat-v0"),
    compared=st.sampled_from([STABLE, DIFFERS]),
    change=st.sampled_from([CHANGE, LASTS, ENDED]),
    alarm=st.sampled_from([SUSPECTED, CONFIRMED]),
    work=st.none() | st.just("run r2 learns from it"),
    answer=st.none() | ANSWERS,
    triage=st.none() | st.just(TRIAGED),
    on_drift=st.booleans(),
    triages=st.booleans(),
)


@given(QUIET | CHANGED | ALARMED)
def test_no_drift_is_said_in_the_stable_state_alone(facts: SituationFacts) -> None:
    said = situation_of(facts)

    for words in (said.phrase, said.sentence, decision_reason(said)):
        assert ("no drift" in words) == (said.state is SituationState.STABLE)


@given(QUIET | CHANGED | ALARMED)
def test_a_window_that_differs_is_never_called_stable(facts: SituationFacts) -> None:
    comparable = facts.collecting is None and not facts.awaits_reference
    if comparable and facts.compared is DIFFERS:
        assert situation_of(facts).state is not SituationState.STABLE


@given(ALARMED)
def test_an_open_alarm_is_never_calm(facts: SituationFacts) -> None:
    assert situation_of(facts).state not in CALM


@given(CHANGED | ALARMED)
def test_a_turned_down_version_whose_change_is_there_is_said_with_a_remedy(facts: SituationFacts) -> None:
    assert facts.change is not None
    turned_down = facts.answer is not None and facts.answer.fate in (
        AnswerFate.REJECTED,
        AnswerFate.UNDECIDED,
    )
    there = not facts.change.dropped and (facts.alarm is not None or not facts.change.ended)
    if turned_down and there and facts.work is None and (facts.declined is None or facts.alarm):
        said = situation_of(facts)
        assert (said.state, said.version) == (SituationState.UNRESOLVED, "chat-v1")
        assert said.remedy is not None
        assert "`retuned show v1`" in said.remedy


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        (SituationFacts(collecting="has not begun"), "no_reference", "no window is compared yet"),
        (SituationFacts(compared=STABLE), "stable", "no drift"),
        (SituationFacts(compared=DIFFERS), "window_drift", "window 9 differs from the reference (columns)"),
        (SituationFacts(compared=STABLE, change=DROPPED), "stable", "did not confirm the alarm since window 6"),
        (SituationFacts(compared=DIFFERS, change=DROPPED), "window_drift", "and no alarm is open; fresh windows"),
        (SituationFacts(change=CHANGE, alarm=SUSPECTED), "alarm_raised", "waits to be confirmed"),
        (SituationFacts(change=CHANGE, alarm=CONFIRMED), "in_triage", "in triage"),
        (SituationFacts(change=CHANGE, alarm=CONFIRMED, triages=False), "confirmed", "no training on it"),
        (SituationFacts(change=CHANGE, alarm=CONFIRMED, triage=TRIAGED), "confirmed", "no training on it"),
        (SituationFacts(change=CHANGE, alarm=CONFIRMED, on_drift=False), "not_trained", "policy.on_drift is off"),
        (SituationFacts(change=CHANGE, alarm=CONFIRMED, work="run r1 learns from it"), "training", "run r1 learns"),
        (SituationFacts(change=CHANGE, answer=answer(AnswerFate.OPEN)), "at_gate", "is at the gate"),
        (SituationFacts(change=CHANGE, answer=answer(AnswerFate.PASSED)), "at_gate", "passed the gate"),
        (SituationFacts(change=CHANGE, declined="prices change daily"), "not_trained", "prices change daily"),
        (SituationFacts(change=ENDED, declined="prices change"), "stable", "not found again in the 8 windows"),
        (SituationFacts(change=LASTS, answer=answer(AnswerFate.REJECTED)), "unresolved", "the gate rejected chat-v1"),
        (SituationFacts(change=LASTS, answer=answer(AnswerFate.UNDECIDED)), "unresolved", "could not decide on"),
        (SituationFacts(change=LASTS, answer=answer(AnswerFate.BARRED)), "unresolved", "does not go live"),
        (SituationFacts(change=LASTS, answer=answer(AnswerFate.LEFT)), "unresolved", "was rolled back"),
        (SituationFacts(change=LASTS, answer=answer(AnswerFate.FAILED)), "unresolved", "run r1, which was to"),
        (SituationFacts(change=ENDED, answer=answer(AnswerFate.REJECTED)), "stable", "was not found again"),
        (SituationFacts(change=LASTS, answer=answer(AnswerFate.LIVE)), "promoted", "a reference without it"),
        (SituationFacts(awaits_reference=True, live="chat-v1"), "promoted", "chat-v1 is live"),
    ],
)  # fmt: skip
def test_each_state_has_its_words(facts: SituationFacts, state: str, words: str) -> None:
    said = situation_of(facts)

    assert said.state == state
    assert words in said.sentence


def test_what_follows_after_a_rejection_is_said() -> None:
    rejected = SituationFacts(change=LASTS, answer=answer(AnswerFate.REJECTED))

    waits = situation_of(rejected).next
    raised = situation_of(
        SituationFacts(change=LASTS, answer=answer(AnswerFate.REJECTED), alarm=CONFIRMED)
    ).next
    off = situation_of(SituationFacts(change=LASTS, answer=answer(AnswerFate.REJECTED), on_drift=False)).next

    assert waits == "the daemon trains again once an alarm on newer conversations is confirmed"
    assert raised is not None
    assert raised.startswith("the daemon trains again once nothing is in the way")
    assert off is None


def test_a_name_at_the_beginning_of_a_sentence_stays_as_it_is() -> None:
    assert sentence_of("chat-v1 is live") == "chat-v1 is live."
    assert sentence_of("no drift") == "No drift."
