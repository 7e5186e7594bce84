import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import numpy as np
import pytest

from monitors.sequential.detector_state import AspectWealth, DetectorState
from monitors.sequential.edetector import DetectorSettings, EDetector
from monitors.sequential.reference_sampling import ReferenceSampler
from monitors.sequential.tokens import tokens_of
from monitors.types import PLAIN_ASPECTS, Aspect, Sample, Turn

AT = datetime(2026, 11, 23, tzinfo=UTC)

#: Words without a language, of the same letters in both topics.
WORDS = ["".join(word) for word in product("bdgklmnprst", "aeiou", "bdgklmnprst")]
random.Random(0).shuffle(WORDS)
SHOP, SPORT = WORDS[:300], WORDS[300:600]


def a_conversation(
    number: int, topic: list[str], *, user: str | None = None, at: datetime = AT, seed: int = 0
) -> Sample:
    """Twelve words of a topic, frequent ones more often."""
    chance = random.Random(f"{seed}/{number}/{topic[0]}")
    words = " ".join(chance.choices(topic, weights=[1 / (n + 5) for n in range(len(topic))], k=12))
    turns = (Turn(role="user", content=f"{words}?"), Turn(role="assistant", content="I will look that up."))
    return Sample(id=f"{topic[0]}-{number}", group=user or f"u{seed}-{number}", at=at, turns=turns)


def reference(count: int = 400) -> list[Sample]:
    return [a_conversation(number, SHOP, seed=1) for number in range(count)]


def stream(count: int, share: float, *, seed: int) -> Iterator[Sample]:
    chance = random.Random(seed)
    for number in range(count):
        yield a_conversation(number, SPORT if chance.random() < share else SHOP, seed=seed)


def alarm_at(detector: EDetector, samples: Iterator[Sample] | list[Sample]) -> int | None:
    """The number of the conversation that raised the alarm, among these."""
    seen = detector.state.count
    for number, sample in enumerate(samples):
        detector.observe(seen + number, sample)
        if detector.alarmed:
            return number
    return None


def test_a_stream_like_the_reference_raises_no_alarm() -> None:
    assert alarm_at(EDetector(reference()), stream(3_000, 0.0, seed=2)) is None


@pytest.mark.parametrize(("share", "within"), [(1.0, 60), (0.5, 150), (0.2, 600)])
def test_a_new_topic_is_noticed_and_named_the_sooner_the_more_of_it_there_is(
    share: float, within: int
) -> None:
    detector = EDetector(reference())
    assert alarm_at(detector, stream(500, 0.0, seed=2)) is None

    found = alarm_at(detector, stream(within, share, seed=3))

    assert found is not None
    assert detector.state.leading_aspect is Aspect.INPUT


def test_the_evidence_begins_about_where_the_change_is() -> None:
    detector = EDetector(reference())
    before = list(stream(500, 0.0, seed=2))
    after = [replace(sample, group=f"late {sample.group}") for sample in stream(40, 1.0, seed=3)]

    alarm_at(detector, [*before, *after])

    assert detector.alarmed
    since = detector.changed_at(Aspect.INPUT, detector.state.count - 1)
    assert since is not None
    assert 490 <= since <= 510


def test_evidence_that_chance_makes_before_a_change_is_not_taken_for_its_beginning() -> None:
    lucky = AspectWealth(wealth=20.0, since=3)
    detector = EDetector(reference(), state=DetectorState(count=300, begins=2, wealths={Aspect.INPUT: lucky}))

    for number, sample in enumerate(stream(40, 1.0, seed=3)):
        detector.observe(300 + number, sample)
        if detector.alarmed:
            break

    since = detector.changed_at(Aspect.INPUT, 300 + number)
    assert since is not None
    assert 290 <= since <= 310


def test_one_users_flood_raises_no_alarm() -> None:
    detector = EDetector(reference())
    flood = [a_conversation(number, SPORT, user="bot") for number in range(1_000)]

    assert alarm_at(detector, flood) is None


def of_a_team(talks: Iterator[Sample] | list[Sample], size: int, *, seed: int) -> list[Sample]:
    """The same conversations, of users who come again and again."""
    chance = random.Random(seed)
    return [replace(talk, group=f"member {chance.randrange(size)}") for talk in talks]


@pytest.mark.parametrize("size", [1, 20, 150])
def test_a_small_team_is_heard_for_as_long_as_it_talks(size: int) -> None:
    detector = EDetector(of_a_team(reference(), size, seed=1))
    assert alarm_at(detector, of_a_team(stream(1_500, 0.0, seed=2), size, seed=3)) is None

    found = alarm_at(
        detector,
        [replace(talk, id=f"late {talk.id}") for talk in of_a_team(stream(300, 1.0, seed=4), size, seed=5)],
    )

    assert found is not None


def test_one_who_talks_all_day_is_compared_with_as_little_of_his_as_counts() -> None:
    """One user says a third of everything, in his own words; all others come once."""

    def talks(count: int, *, seed: int) -> list[Sample]:
        chance = random.Random(seed)
        usual = (a_conversation(n, SHOP, seed=seed) for n in range(count))
        return [
            a_conversation(n, SPORT, user="heavy", seed=seed) if chance.random() < 1 / 3 else talk
            for n, talk in enumerate(usual)
        ]

    assert alarm_at(EDetector(talks(1_000, seed=1)), talks(3_000, seed=2)) is None


def test_one_that_was_stopped_goes_on_exactly() -> None:
    past, samples = reference(), list(stream(900, 0.1, seed=5))
    unbroken = EDetector(past)
    for number, sample in enumerate(samples):
        unbroken.observe(number, sample)

    state = DetectorState()
    for first in range(0, 900, 150):
        again = EDetector(past, state=state, recent={key: samples[key] for key in state.recent})
        for number in range(first, first + 150):
            again.observe(number, samples[number])
        state = again.state

    assert state == unbroken.state


def test_one_that_was_stopped_goes_on_exactly_where_half_say_nothing_about_an_aspect() -> None:
    aspects = [Aspect.INPUT, Aspect.LABEL]
    past = [half_labelled(talk, n) for n, talk in enumerate(reference(1_000))]
    whole = EDetector(past, DetectorSettings(aspects=aspects))
    samples = {n: half_labelled(talk, n) for n, talk in enumerate(stream(1_200, 0.0, seed=5))}
    for n in range(900):
        whole.observe(n, samples[n])
    state = whole.state
    again = EDetector(
        past,
        DetectorSettings(aspects=aspects),
        state=state,
        recent={key: samples[key] for key in state.recent},
    )

    for n in range(900, 1_200):
        whole.observe(n, samples[n])
        again.observe(n, samples[n])

    assert again.state == whole.state


def half_labelled(sample: Sample, number: int) -> Sample:
    """One in two has a label."""
    return sample if number % 2 else replace(sample, labels=(("intent", f"intent {number % 7 // 2}"),))


def test_the_evidence_of_a_release_with_other_experts_is_kept() -> None:
    before = AspectWealth(wealth=50.0, since=7, weights=(0.5, 0.5), variances=(1.0,))

    detector = EDetector(reference(), state=DetectorState(count=9, wealths={Aspect.INPUT: before}))

    kept = detector.state.wealths[Aspect.INPUT]
    assert (kept.wealth, kept.since) == (50.0, 7)
    assert (kept.weights, kept.variances) == (AspectWealth().weights, AspectWealth().variances)
    detector.observe(10, a_conversation(10, SHOP))


def by_day(day: int, hour: int, *, seed: int) -> Sample:
    """Shop in the morning, sport in the evening."""
    number = day * 24 + hour
    return a_conversation(number, SHOP if hour < 12 else SPORT, at=AT + timedelta(hours=number), seed=seed)


def test_what_comes_every_day_at_its_hour_is_no_change() -> None:
    days = [by_day(day, hour, seed=1) for day in range(14) for hour in range(24)]
    week_on = [
        replace(sample, at=sample.at + timedelta(days=14), group=f"g{n}-{copy}")
        for copy in range(3)
        for n, sample in enumerate(
            by_day(day, hour, seed=6 + copy) for day in range(28) for hour in range(24)
        )
    ]
    by_time = sorted(week_on, key=lambda sample: sample.at)

    assert alarm_at(EDetector(days), by_time) is None

    timeless = [replace(sample, at=AT) for sample in days]  # the same words, but nobody knows at which hour
    assert alarm_at(EDetector(timeless), by_time) is not None


def test_replies_of_another_version_are_not_compared() -> None:
    past = [replace(sample, version="chat-v0") for sample in reference()]
    curt = (Turn(role="user", content="shop1 shop2?"), Turn(role="assistant", content="no idea whatsoever"))
    stream_of_v1 = [
        replace(
            a_conversation(n, SHOP, seed=9),
            turns=(a_conversation(n, SHOP, seed=9).turns[0], curt[1]),
            version="chat-v1",
        )
        for n in range(300)
    ]
    detector = EDetector(past)

    alarm_at(detector, stream_of_v1)

    assert detector.state.wealths[Aspect.REPLY].wealth == 1.0


def test_other_languages_and_broken_replies_are_told_apart() -> None:
    chinese = [
        replace(
            a_conversation(n, SHOP, seed=4),
            turns=(Turn(role="user", content="我的订单什么时候到"), Turn(role="assistant", content="明天到")),
        )
        for n in range(60)
    ]
    empty = [
        replace(
            a_conversation(n, SHOP, seed=4),
            turns=(a_conversation(n, SHOP, seed=4).turns[0], Turn(role="assistant", content="")),
        )
        for n in range(200)
    ]
    foreign, broken = EDetector(reference()), EDetector(reference())

    assert alarm_at(foreign, chinese) is not None
    assert foreign.state.wealths[Aspect.LANGUAGE].wealth > 1_000
    assert alarm_at(broken, empty) is not None
    assert broken.state.wealths[Aspect.DEFECTS].wealth > 1_000
    assert broken.state.wealths[Aspect.LANGUAGE].wealth < 100


def test_nothing_is_compared_with_nothing() -> None:
    detector = EDetector([])

    assert alarm_at(detector, stream(50, 1.0, seed=2)) is None
    assert detector.state.wealth == 1.0


def test_after_an_alarm_it_stakes_anew_and_still_knows_what_is_new() -> None:
    detector = EDetector(reference())
    first = alarm_at(detector, stream(200, 1.0, seed=3))

    detector.restart()

    assert not detector.alarmed
    again = alarm_at(detector, stream(200, 1.0, seed=4))
    assert first is not None
    assert again is not None
    assert again < first


def of_both(number: int, *, at: datetime, seed: int) -> Sample:
    chance = random.Random(f"{number}/{seed}")
    return a_conversation(number, SHOP if chance.random() < 0.5 else SPORT, at=at, seed=seed)


def test_neighbours_by_id_that_are_of_one_topic_are_no_evidence() -> None:
    """All at one moment, so that nothing but their ids orders them, and those go by topic."""
    chance = random.Random(0)
    topics = [chance.sample(WORDS, 40) for _ in range(12)]
    talks = [a_conversation(n, chance.choice(topics)) for n in range(3_400)]

    assert alarm_at(EDetector(talks[:400]), talks[400:]) is None


def test_users_who_say_several_things_of_one_topic_in_a_row_are_no_evidence() -> None:
    def sessions(count: int, *, seed: int) -> list[Sample]:
        chance = random.Random(seed)
        topics = [chance.sample(WORDS, 40) for _ in range(12)]
        chance = random.Random(f"{seed}/talks")
        talks: list[Sample] = []
        while len(talks) < count:
            topic, user = chance.choice(topics), f"u{seed}-{len(talks)}"
            for _ in range(chance.randint(1, 9)):
                at = AT + timedelta(seconds=20 * len(talks))
                talks.append(a_conversation(len(talks), topic, user=user, at=at, seed=seed))
        return talks

    talks = sessions(4_400, seed=6)

    assert alarm_at(EDetector(talks[:400]), talks[400:]) is None


def test_the_luck_of_a_small_reference_is_no_evidence() -> None:
    """Two weeks of few conversations: those of a part of a day would be drawn again and again."""
    past = [of_both(n, at=AT + timedelta(minutes=67 * n), seed=10) for n in range(300)]
    fresh = [of_both(n, at=AT + timedelta(days=14, seconds=86.4 * n), seed=100) for n in range(1_000)]
    detector = EDetector(past)

    alarmed = alarm_at(detector, fresh)

    assert alarmed is None
    assert detector.state.wealth < 100


def labelled(number: int, intent: str, *, seed: int) -> Sample:
    return replace(a_conversation(number, SHOP, seed=seed), labels=(("intent", intent),))


def test_a_changed_mix_of_labels_is_noticed_where_labels_are_asked_for() -> None:
    chance = random.Random(7)
    past = [labelled(n, chance.choice(["order", "order", "refund"]), seed=1) for n in range(400)]
    same = [labelled(n, chance.choice(["order", "order", "refund"]), seed=2) for n in range(1_000)]
    changed = [labelled(n, "refund", seed=3) for n in range(300)]
    asked, unasked = (
        EDetector(past, DetectorSettings(aspects=[*PLAIN_ASPECTS, Aspect.LABEL])),
        EDetector(past),
    )

    assert alarm_at(asked, same) is None
    assert alarm_at(asked, changed) is not None
    assert asked.state.leading_aspect is Aspect.LABEL
    assert alarm_at(unasked, [*same, *changed]) is None
    assert Aspect.LABEL not in unasked.state.wealths


def test_an_aspect_that_is_asked_for_later_starts_with_no_evidence_and_the_others_go_on() -> None:
    past = [labelled(n, "order", seed=1) for n in range(400)]
    before = EDetector(past)
    alarm_at(before, stream(300, 0.3, seed=3))

    after = EDetector(past, DetectorSettings(aspects=[*PLAIN_ASPECTS, Aspect.LABEL]), state=before.state)

    assert after.state.wealths[Aspect.LABEL].wealth == 1.0
    assert after.state.wealths[Aspect.INPUT] == before.state.wealths[Aspect.INPUT]


def in_the_morning(count: int, *, hours: float = 4) -> list[Sample]:
    """A reference of a few hours, from eight o'clock on."""
    return [
        replace(sample, at=AT + timedelta(hours=8 + hours * n / count))
        for n, sample in enumerate(reference(count))
    ]


def of_the_hour(hour: float, *, seed: int) -> list[Sample]:
    """Three hundred about sport, which the reference knows nothing of."""
    return [replace(a_conversation(n, SPORT, seed=seed), at=AT + timedelta(hours=hour)) for n in range(300)]


def test_nothing_is_bet_at_a_time_of_the_day_that_the_reference_does_not_know() -> None:
    detector = EDetector(in_the_morning(400), DetectorSettings(cycle_days=7))

    assert alarm_at(detector, of_the_hour(20, seed=3)) is None
    assert detector.state.wealth == 1.0
    assert alarm_at(detector, of_the_hour(24 + 9, seed=4)) is not None


def test_without_a_cycle_every_hour_is_compared_with_all() -> None:
    assert alarm_at(EDetector(in_the_morning(400)), of_the_hour(20, seed=3)) is not None


def test_whether_it_bets_follows_from_the_time_alone() -> None:
    """So that the promise holds: whoever could abstain by what was said could choose which bets to lose."""
    samples = [
        replace(sample, at=AT + timedelta(hours=n % 24)) for n, sample in enumerate(stream(240, 0.5, seed=5))
    ]
    dumb = [replace(sample, turns=a_conversation(0, SHOP).turns) for sample in samples]

    def bets(samples: list[Sample]) -> list[bool]:
        detector, made = EDetector(in_the_morning(400), DetectorSettings(cycle_days=1)), []
        for number, sample in enumerate(samples):
            before = detector.state.wealths
            detector.observe(number, sample)
            made.append(detector.state.wealths != before)
        return made

    assert bets(samples) == bets(dumb)
    assert 0 < sum(bets(samples)) < 240


def test_the_ends_of_half_a_day_are_no_neighbours() -> None:
    """Shop until noon, sport from then on: the morning is compared with the morning, not with the evening."""
    half = [
        replace(a_conversation(n, SHOP if n < 300 else SPORT, seed=1), at=AT + timedelta(hours=6 + n / 50))
        for n in range(600)
    ]
    early = [
        replace(a_conversation(n, SHOP, seed=2), at=AT + timedelta(hours=30 + n / 150)) for n in range(300)
    ]

    assert alarm_at(EDetector(half, DetectorSettings(cycle_days=7)), early) is None
    assert alarm_at(EDetector(half), early) is not None


def meaning(number: int, topic: int, *, seed: int) -> Sample:
    """The same words whatever is meant; vectors of a narrow cone, a little apart by topic."""
    chance = np.random.default_rng([number, seed])
    vector = 20 + 0.6 * np.eye(64)[topic] * 8 + chance.standard_normal(64)
    sample = a_conversation(number, SHOP, seed=seed)
    return replace(sample, embedding=vector.astype("<f4").tobytes())


def test_a_change_of_meaning_is_noticed_where_vectors_are_asked_for() -> None:
    past = [meaning(n, 0, seed=1) for n in range(400)]
    same = [meaning(n, 0, seed=2) for n in range(800)]
    changed = [meaning(n, 1, seed=3) for n in range(200)]
    asked = EDetector(past, DetectorSettings(aspects=[*PLAIN_ASPECTS, Aspect.EMBEDDING]))

    assert alarm_at(asked, same) is None
    assert alarm_at(asked, changed) is not None
    assert asked.state.leading_aspect is Aspect.EMBEDDING


def test_what_has_no_vector_is_not_bet_on_by_meaning_and_costs_the_others_nothing() -> None:
    past = [meaning(n, 0, seed=1) for n in range(400)]
    without, plain = (
        EDetector(past, DetectorSettings(aspects=[Aspect.INPUT, Aspect.EMBEDDING])),
        EDetector(past),
    )
    changed = [replace(meaning(n, 1, seed=3), embedding=None) for n in range(100)]

    alarm_at(without, changed)
    alarm_at(plain, changed)

    assert without.state.wealths[Aspect.EMBEDDING].wealth == 1.0
    assert without.state.wealths[Aspect.INPUT].wealth == pytest.approx(
        plain.state.wealths[Aspect.INPUT].wealth
    )


def test_one_wrong_clock_makes_no_day_of_an_hour() -> None:
    """Else what is compared would come from a quarter of the reference, for a cycle that nobody saw."""
    hour = [replace(talk, at=AT + timedelta(seconds=9 * n)) for n, talk in enumerate(reference())]
    wrong = [*hour[:-1], replace(hour[-1], at=AT - timedelta(days=900))]
    found = [(talk, tokens_of(talk)) for talk in hour]

    right = ReferenceSampler(found, PLAIN_ASPECTS)
    off = ReferenceSampler([(talk, tokens_of(talk)) for talk in wrong], PLAIN_ASPECTS)

    assert off.margin == right.margin
