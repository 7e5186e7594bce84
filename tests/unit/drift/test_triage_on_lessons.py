"""Triage where the live version answers itself: corrections say what there is to learn, thumbs whether it hurts."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from daemon.domain.alarms import Alarm
from daemon.domain.conversation import Message
from daemon.domain.lessons import LessonRules
from daemon.domain.records import Coordinates, StoredConversation
from daemon.drift.imitable_answers import imitable, speaks_for
from daemon.drift.triage_case import LiveVersion, TriageCase, case_of
from daemon.ledger.signals import LateSignal
from learners.types import Surprisals
from monitors.triage.comparison import Conclusion
from monitors.types import Outcome
from tests.factories.ledger import NOW

RULES = LessonRules(model_line="chat", own_names=frozenset({"base", "assistant"}))
LIVE = "chat-v1"
ASKED, GIVEN = Message(role="user", content="how?"), Message(role="assistant", content="so")


def a_row(seq: int, version: str | None = None, **facts: object) -> StoredConversation:
    at = Coordinates(topic="t", partition=0, offset=seq)
    return replace(
        StoredConversation(
            seq=seq, conversation_id=f"c{seq}", coordinates=at, at=NOW + timedelta(seconds=seq), group=f"u{seq}",
            held_out=False, version=version, messages=(ASKED, GIVEN), feedback=None, text_digest="", record_sha256="",
            conversation_hash="",
        ),
        **facts,  # type: ignore[arg-type]
    )  # fmt: skip


def scored(row: StoredConversation) -> list[str] | None:
    """The targets of what is scored of a row; None if it is not scored."""
    found = imitable(row, RULES, live=LIVE)
    if found is None:
        return None
    return [one.content for one in found.messages if one.role == "assistant" and one.learned]


@pytest.mark.parametrize("own", [LIVE, "chat", "base", "assistant"])
def test_own_answers_are_scored_only_as_corrected(own: str) -> None:
    assert scored(a_row(1, own)) is None
    assert scored(a_row(1, own, feedback=1.0)) is None
    assert scored(a_row(1, own, feedback=-1.0)) is None
    assert scored(a_row(1, own, feedback=-1.0, correction="rather so")) == ["rather so"]
    assert scored(a_row(1, own, feedback=1.0, correction="so")) is None


def test_answers_of_others_are_scored_unless_users_disliked_them() -> None:
    assert scored(a_row(1)) == ["so"]
    assert scored(a_row(1, "gpt", feedback=0.0)) == ["so"]
    assert scored(a_row(1, "gpt", feedback=-1.0)) is None


def test_what_users_liked_of_an_earlier_version_is_scored() -> None:
    assert scored(a_row(1, "chat-v0", feedback=1.0)) == ["so"]
    assert scored(a_row(1, "chat-v0")) is None


def test_answers_before_a_corrected_one_are_no_targets() -> None:
    row = a_row(1, LIVE, messages=(ASKED, GIVEN, ASKED, GIVEN), correction="rather so")

    found = imitable(row, RULES, live=LIVE)

    assert found is not None
    assert [one.content for one in found.messages] == ["how?", "so", "how?", "rather so"]
    assert scored(row) == ["rather so"]


@pytest.mark.parametrize(
    ("version", "speaks"),
    [(LIVE, True), ("chat-v0", False), ("assistant", True), ("gpt", False), (None, False)],
)
def test_names_that_say_no_version_are_the_live_ones(version: str | None, speaks: bool) -> None:
    assert speaks_for(LIVE, version, RULES) is speaks


REFERENCE, NEW, CORRECTED = 150, 200, 40
#: Words of chit-chat, and of the facts that users ask about since the launch.
CHAT, FACTS = range(400), range(400, 520)


def chit_chat(chance: random.Random) -> Iterator[StoredConversation]:
    """People answer; a third of the users say what they think, most are content."""
    for seq in range(1, REFERENCE + 1):
        said = chance.random() < 0.35
        yield a_row(
            seq,
            messages=texts(f"chat{seq}"),
            feedback=None if not said else 1.0 if chance.random() < 0.8 else -1.0,
        )


def launch(chance: random.Random, version: str, *, content: bool = False) -> Iterator[StoredConversation]:
    """The model answers questions about facts that it does not know: 60 % thumbs down, staff correct some."""
    corrected = set(chance.sample(range(NEW), 0 if content else CORRECTED))
    for number in range(NEW):
        wrong = number in corrected or (not content and chance.random() < 0.5)
        yield a_row(
            1_000 + number, version, messages=texts(f"fact{number}"), feedback=-1.0 if wrong else 1.0,
            correction="the fact" if number in corrected else None,
        )  # fmt: skip


def texts(word: str) -> tuple[Message, ...]:
    return (
        Message(role="user", content=f"{word} {word}ing {word}ed"),
        Message(role="assistant", content=f"{word} answer"),
    )


def triaged(new: Iterable[StoredConversation], reference: Iterable[StoredConversation]) -> Conclusion:
    rows, known = list(new), list(reference)
    opinions = {
        one.seq: LateSignal(number=one.seq, seq=one.seq, value=one.feedback, kind="thumb", delay=timedelta(0))
        for one in (*rows, *known)
        if one.feedback is not None
    }
    alarm = Alarm(window=1, first_seq=1_000, reason="so", at=NOW)
    case = case_of(
        alarm, rows, known, opinions=opinions, live=LiveVersion(name=LIVE, learned_until=0, rules=RULES)
    )
    while some := case.next(8):
        case.take(surprisals(some))
    return case.conclude()


def surprisals(some: Sequence[StoredConversation]) -> list[Surprisals]:
    """Chit-chat of one's own words each; facts of forty texts, asked as often as users would."""
    return [_surprisal(one) for one in some]


def _surprisal(row: StoredConversation) -> Surprisals:
    chance = random.Random(row.seq)
    if row.seq < 1_000:
        tokens = [chance.choice(CHAT) for _ in range(25)]
    else:
        fact = min(int(chance.paretovariate(1.0)), CORRECTED)
        tokens = [FACTS[(7 * fact + place) % len(FACTS)] for place in range(25)]
    return Surprisals(
        id=str(row.seq), tokens=tuple(tokens), nats=tuple(2.7 + chance.gauss(0, 0.4) for _ in tokens)
    )


@pytest.mark.parametrize("name", [LIVE, "assistant"])
@pytest.mark.parametrize("seed", range(3))
def test_discontent_users_and_corrections_lead_to_a_training(name: str, seed: int) -> None:
    chance = random.Random(seed)

    result = triaged(launch(chance, name), chit_chat(chance)).result

    assert result.outcome is Outcome.TRAIN
    assert "it hurts: feedback -" in result.reason
    assert "there is something to learn: +" in result.reason


@pytest.mark.parametrize("seed", range(3))
def test_corrections_alone_say_that_there_is_something_to_learn(seed: int) -> None:
    """Nobody rated before, and the reference holds own answers only, so that neither feedback nor loss compares."""
    chance = random.Random(seed)
    known = [replace(one, version=LIVE, feedback=None) for one in chit_chat(chance)]

    conclusion = triaged(launch(chance, LIVE), known)

    assert conclusion.result.outcome is Outcome.TRAIN
    assert conclusion.result.reason.startswith("there is something to learn: +")
    assert not any(name.startswith("loss") for name in conclusion.numbers)


def test_where_users_are_as_content_with_its_own_answers_nothing_is_trained() -> None:
    chance = random.Random(5)

    result = triaged(launch(chance, LIVE, content=True), chit_chat(chance)).result

    assert result.outcome is Outcome.IGNORE


@pytest.mark.parametrize("own", [True, False])
def test_invented_figures_do_not_say_that_facts_change(own: bool) -> None:
    """All ask the same. The model invents a figure each time; where people answer so, the fact itself changes."""

    def invented(row: StoredConversation) -> StoredConversation:
        asked = Message(role="user", content="What is the default of windows.size?")
        answer = Message(role="assistant", content=f"The default of windows.size is {row.seq} conversations.")
        correction = None if row.correction is None else "The default of windows.size is 200 conversations."
        return replace(row, messages=(asked, answer), correction=correction, version=LIVE if own else "anna")

    chance = random.Random(2)
    rows = [invented(one) for one in launch(chance, LIVE)]
    if own:  # who does not complain says nothing
        rows = [one if one.feedback == -1.0 else replace(one, feedback=None) for one in rows]
    else:
        rows = [replace(one, feedback=None, correction=None) for one in rows]

    outcome = triaged(rows, chit_chat(chance)).result.outcome

    assert outcome is (Outcome.TRAIN if own else Outcome.CANT_HELP)


def test_disliked_own_answers_are_never_scored() -> None:
    chance = random.Random(1)
    rows = [replace(one, correction=None) for one in launch(chance, "assistant")]
    live = LiveVersion(name=LIVE, learned_until=0, rules=RULES)

    case: TriageCase = case_of(
        Alarm(window=1, first_seq=1_000, reason="so", at=NOW),
        rows,
        list(chit_chat(chance)),
        opinions={},
        live=live,
    )

    assert not any(compared.scorable for compared in case.sides.new)
    assert case.plan.new == ()
