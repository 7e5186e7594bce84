import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from daemon.drift.detector_state import state_from_json, state_to_json
from daemon.drift.monitor_settings import late_aspects
from monitors.sequential.conformal_bets import LATE_ASPECTS, Signal, experts_of
from monitors.sequential.detector_state import DetectorState
from monitors.sequential.edetector import DetectorSettings, EDetector
from monitors.sequential.late_signals import loss_signal, opinion_signal, spoken_signal
from monitors.types import Aspect, Sample, Turn
from tests.factories.daemon import line_settings
from tests.unit.monitors.sequential.test_edetector import AT, SHOP, a_conversation, reference

N = 5_000
#: Conversations that a signal of the reference belongs to have small keys.
FRESH = 10_000
TALK = a_conversation(0, SHOP)


def thumbs(count: int, down: float, *, seed: int, fresh: bool = True) -> Iterator[Signal]:
    """Opinions of different users, some of them thumbs down."""
    chance = random.Random(seed)
    for number in range(count):
        yield a_thumb(number, down=chance.random() < down, user=f"{seed}/{number}", fresh=fresh)


def a_thumb(
    number: int, *, down: bool, user: str, fresh: bool = True, delay: timedelta | None = None
) -> Signal:
    conversation = replace(TALK, group=user)
    key = FRESH + number if fresh else number
    return opinion_signal(key, conversation, -1.0 if down else 1.0, rated=False, fresh=fresh, delay=delay)


def losses(count: int, mean: float, *, seed: int, fresh: bool = True) -> Iterator[Signal]:
    chance = random.Random(seed)
    for number in range(count):
        conversation = replace(TALK, group=f"{seed}/{number}")
        yield loss_signal(number, conversation, max(0.0, chance.gauss(mean, 0.5)), own=False, fresh=fresh)


def words(count: int, share: float, *, seed: int, fresh: bool = True) -> Iterator[Signal]:
    """Conversations of different users, of whom a share says what they think."""
    chance = random.Random(seed)
    for number in range(count):
        key = FRESH + number if fresh else number
        conversation = replace(TALK, group=f"{seed}/{number}")
        yield spoken_signal(key, conversation, spoke=chance.random() < share, fresh=fresh)


def a_detector(state: DetectorState | None = None, recent: Mapping[int, Sample] | None = None) -> EDetector:
    settings = DetectorSettings(late_aspects=LATE_ASPECTS, conversations_between_false_alarms=N)
    return EDetector([], settings, state=state, recent=recent)


class Ear:
    """Tells a detector signals, each under the next number."""

    def __init__(self, aspect: Aspect) -> None:
        self.detector = a_detector()
        self.aspect = aspect
        self.number = 0

    def tell(self, signals: Iterator[Signal]) -> int | None:
        """How many signals it took to an alarm."""
        for count, signal in enumerate(signals, 1):
            self.number += 1
            self.detector.observe_late(self.aspect, self.number, signal)
            if self.detector.alarmed:
                return count
        return None

    @property
    def wealth(self) -> float:
        return self.detector.state.wealths[self.aspect].wealth


@pytest.mark.parametrize("aspect", LATE_ASPECTS)
def test_every_bet_is_fair(aspect: Aspect) -> None:
    steps, experts = 20_000, experts_of(aspect)
    made = [experts.e_values((n + 0.5) / steps) for n in range(steps)]

    assert sum(made) / steps == pytest.approx([1.0] * experts.count, abs=1e-3)


def test_a_bet_pays_for_what_is_worse() -> None:
    made = [experts_of(Aspect.QUALITY).e_values((n + 0.5) / 1_000) for n in range(1_000)]

    assert all((earlier >= later).all() for earlier, later in pairwise(made))


@pytest.mark.parametrize("known", [0, 20, 200])
def test_opinions_like_the_references_raise_no_alarm_however_few_there_are(known: int) -> None:
    for seed in range(5):
        ear = Ear(Aspect.QUALITY)
        ear.tell(thumbs(known, 0.1, seed=seed, fresh=False))

        assert ear.tell(thumbs(2_000, 0.1, seed=100 + seed)) is None


def test_more_thumbs_down_are_found_and_named() -> None:
    ear = Ear(Aspect.QUALITY)
    ear.tell(thumbs(200, 0.1, seed=1, fresh=False))
    assert ear.tell(thumbs(200, 0.1, seed=2)) is None

    found = ear.tell(thumbs(150, 0.4, seed=3))

    assert found is not None
    assert ear.detector.state.leading_aspect is Aspect.QUALITY


def test_a_loss_that_rises_by_three_tenths_of_a_nat_is_found() -> None:
    ear = Ear(Aspect.CONCEPT)
    ear.tell(losses(200, 2.0, seed=1, fresh=False))
    assert ear.tell(losses(200, 2.0, seed=2)) is None

    assert ear.tell(losses(400, 2.3, seed=3)) is not None
    assert ear.detector.state.leading_aspect is Aspect.CONCEPT


@pytest.mark.parametrize(("usual", "now"), [(0.2, 0.05), (0.05, 0.2), (0.2, 0.0)])
def test_fewer_or_more_users_who_say_something_are_found_and_named(usual: float, now: float) -> None:
    ear = Ear(Aspect.FEEDBACK_RATE)
    ear.tell(words(400, usual, seed=1, fresh=False))
    assert ear.tell(words(400, usual, seed=2)) is None

    assert ear.tell(words(600, now, seed=3)) is not None
    assert ear.detector.state.leading_aspect is Aspect.FEEDBACK_RATE


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 1.0])
def test_as_many_users_as_before_raise_no_alarm(share: float) -> None:
    for seed in range(5):
        ear = Ear(Aspect.FEEDBACK_RATE)
        ear.tell(words(400, share, seed=seed, fresh=False))

        assert ear.tell(words(2_000, share, seed=100 + seed)) is None


def test_what_gets_better_is_no_change_for_the_worse() -> None:
    ear = Ear(Aspect.CONCEPT)
    ear.tell(losses(200, 2.0, seed=1, fresh=False))

    assert ear.tell(losses(1_000, 1.5, seed=3)) is None
    assert ear.wealth < 10


def test_the_evidence_begins_with_a_conversation_that_was_told_of() -> None:
    ear = Ear(Aspect.QUALITY)
    ear.tell(thumbs(200, 0.1, seed=1, fresh=False))
    ear.tell(replace(signal, key=signal.key + 500) for signal in thumbs(150, 0.6, seed=3))

    since = ear.detector.state.wealths[Aspect.QUALITY].since
    assert since is not None
    assert FRESH + 500 <= since < FRESH + 530


def test_one_user_counts_once_while_remembered() -> None:
    ear = Ear(Aspect.QUALITY)
    ear.tell(thumbs(200, 0.1, seed=1, fresh=False))

    ear.tell(a_thumb(number, down=True, user="angry") for number in range(1_000))

    assert ear.wealth < 20


def test_a_small_team_is_heard_for_as_long_as_it_says_what_it_thinks() -> None:
    chance = random.Random(0)

    def teams(count: int, share: float, first: int) -> Iterator[Signal]:
        for number in range(first, first + count):
            user = f"member {chance.randrange(30)}"
            yield a_thumb(number, down=chance.random() < share, user=user)

    team = [replace(TALK, id=f"{n}", group=f"member {n % 30}") for n in range(90)]
    ear = Ear(Aspect.QUALITY)
    ear.detector = EDetector(
        team, DetectorSettings(late_aspects=LATE_ASPECTS, conversations_between_false_alarms=N)
    )
    ear.tell(replace(signal, fresh=False) for signal in teams(200, 0.1, 0))
    assert ear.tell(teams(600, 0.1, 200)) is None

    assert ear.tell(teams(600, 0.5, 800)) is not None


def test_ratings_and_thumbs_are_not_compared() -> None:
    ear = Ear(Aspect.QUALITY)
    ear.tell(thumbs(300, 0.0, seed=1, fresh=False))
    middling = (
        opinion_signal(FRESH + n, replace(TALK, group=f"r{n}"), 0.0, rated=True, fresh=True, delay=None)
        for n in range(500)
    )

    assert ear.tell(middling) is None


def test_losses_are_compared_where_replies_are_about_as_long() -> None:
    """A shift to short replies, which are harder to predict, is no change of what is right."""
    curt = Turn(role="assistant", content="Yes.")

    def both(count: int, short: float, *, seed: int, fresh: bool) -> Iterator[Signal]:
        chance = random.Random(seed)
        for n in range(count):
            conversation = replace(TALK, group=f"{seed}/{n}")
            if is_short := chance.random() < short:
                conversation = replace(conversation, turns=(conversation.turns[0], curt))
            loss = chance.gauss(3.0 if is_short else 2.0, 0.3)
            yield loss_signal(n, conversation, loss, own=False, fresh=fresh)

    ear = Ear(Aspect.CONCEPT)
    ear.tell(both(300, 0.2, seed=1, fresh=False))

    assert ear.tell(both(500, 0.8, seed=2, fresh=True)) is None


def test_at_night_users_may_be_stricter() -> None:
    days = [replace(sample, at=AT + timedelta(hours=n)) for n, sample in enumerate(reference(100))]
    detector = EDetector(
        days, DetectorSettings(late_aspects=[Aspect.QUALITY], conversations_between_false_alarms=N)
    )
    chance = random.Random(5)
    for number in range(3_000):
        at = AT + timedelta(minutes=6 * number)
        down = chance.random() < (0.5 if at.hour < 6 else 0.1)
        signal = replace(a_thumb(number, down=down, user=f"n{number}", fresh=number > 300), at=at)
        detector.observe_late(Aspect.QUALITY, number + 1, signal)

        assert not detector.alarmed


def test_what_it_does_not_listen_to_is_no_aspect() -> None:
    detector = EDetector([])

    assert detector.late_until(Aspect.QUALITY) is None
    assert set(LATE_ASPECTS).isdisjoint(detector.state.wealths)


@pytest.mark.parametrize(
    ("share", "heard"), [(0.05, LATE_ASPECTS), (0, (Aspect.QUALITY, Aspect.FEEDBACK_RATE))]
)
def test_without_a_share_to_score_the_loss_is_no_aspect(
    share: float, heard: tuple[Aspect, ...], tmp_path: Path
) -> None:
    assert late_aspects(line_settings(tmp_path, monitors={"loss_share": share})) == heard


def test_one_that_was_stopped_goes_on_exactly() -> None:
    signals = [
        *thumbs(60, 0.2, seed=1, fresh=False),
        *(replace(s, group=f"some {n % 40}") for n, s in enumerate(thumbs(240, 0.3, seed=2))),
    ]
    unbroken = a_detector()
    for number, signal in enumerate(signals, 1):
        unbroken.observe_late(Aspect.QUALITY, number, signal)

    state, conversations = DetectorState(), {s.key: replace(TALK, group=s.group) for s in signals}
    for first in range(0, 300, 60):
        again = a_detector(state=state, recent={key: conversations[key] for key in state.keys})
        for number in range(first, first + 60):
            again.observe_late(Aspect.QUALITY, number + 1, signals[number])
        state = state_from_json(json.loads(json.dumps(state_to_json(again.state))))

    assert state == unbroken.state
    assert state.late[Aspect.QUALITY].until == 300


def test_after_an_alarm_it_stakes_anew() -> None:
    ear = Ear(Aspect.QUALITY)
    ear.tell(thumbs(200, 0.1, seed=1, fresh=False))
    ear.tell(thumbs(150, 0.5, seed=3))
    assert ear.detector.alarmed

    ear.detector.restart()

    assert not ear.detector.alarmed
    assert len(ear.detector.state.wealths[Aspect.QUALITY].weights) == experts_of(Aspect.QUALITY).count
    assert ear.detector.state.late[Aspect.QUALITY].until == ear.number


def test_a_signal_that_says_nothing_only_moves_on() -> None:
    ear = Ear(Aspect.CONCEPT)

    ear.detector.observe_late(Aspect.CONCEPT, 7, None)

    assert ear.detector.late_until(Aspect.CONCEPT) == 7
    assert ear.wealth == 1.0


@pytest.mark.parametrize("noted", [True, False])
def test_complaints_that_come_sooner_than_praise_are_no_fall(noted: bool) -> None:
    """Half of all are content, and say so hours later: of young conversations only complaints are known."""
    chance = random.Random(5)

    def thumb(number: int, *, fresh: bool) -> tuple[timedelta, Signal]:
        down = chance.random() < 0.5
        delay = timedelta(seconds=chance.expovariate(1 / (60 if down else 6 * 3_600)))
        known = delay if noted else None
        user = f"{fresh} {number}"
        said = a_thumb(number, down=down, user=user, fresh=fresh, delay=known)
        return timedelta(seconds=20 * number) + delay, said

    ear = Ear(Aspect.QUALITY)
    ear.tell(said for _, said in [thumb(number, fresh=False) for number in range(200)])
    arriving = sorted((thumb(number, fresh=True) for number in range(600)), key=lambda one: one[0])

    alarm = ear.tell(said for _, said in arriving)

    assert (alarm is None) is noted
