from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby, pairwise

import pytest
from scipy.stats import chi2_contingency

from monitors.bench.populations import Source, pool_id, populations_of
from monitors.bench.streams import CHANGES, EPISODE, NULLS, PROMISED, RAMP, Kind, Length, Stream, make
from monitors.types import Sample
from tests.factories.bench import a_population, a_regime

LENGTH = Length(reference=600, null=3_000, before=400, after=1_600)


def a_stream(kind: Kind, *, share: float = 0.0, seed: str = "a") -> Stream:
    return make(a_population(), kind, share=share, length=LENGTH, seed=seed)


def regime_of(sample: Sample) -> str:
    return sample.id.split("-")[0]


def share_new(samples: Iterable[Sample]) -> float:
    regimes = [regime_of(sample) for sample in samples]
    return regimes.count("weather") / len(regimes)


@pytest.mark.parametrize("kind", Kind)
def test_the_same_seed_gives_the_same_stream(kind: Kind) -> None:
    assert a_stream(kind, share=0.5) == a_stream(kind, share=0.5)
    assert a_stream(kind, share=0.5) != a_stream(kind, share=0.5, seed="b")


@pytest.mark.parametrize("kind", NULLS)
def test_nothing_is_new_where_nothing_changes(kind: Kind) -> None:
    stream = a_stream(kind)

    assert stream.change_at is None
    assert len(stream.samples) == LENGTH.null
    assert share_new([*stream.reference, *stream.samples]) == 0


@pytest.mark.parametrize("kind", [Kind.IID, Kind.DAILY])
def test_reference_and_stream_are_of_one_population(kind: Kind) -> None:
    stream = a_stream(kind)
    counts = [Counter(map(regime_of, side)) for side in (stream.reference, stream.samples)]

    table = [[side["shops"], side["sports"]] for side in counts]

    assert chi2_contingency(table).pvalue > 0.01


@pytest.mark.parametrize("kind", PROMISED)
def test_any_conversation_may_be_in_the_reference_or_in_the_stream(kind: Kind) -> None:
    """A reference of other documents than the stream would be a small drift."""
    stream = a_stream(kind)
    seen, known = ({pool_id(s) for s in side} for side in (stream.samples, stream.reference))

    assert len(seen & known) > 120  # of 160


def test_the_reference_spans_two_weeks_and_the_stream_follows_it() -> None:
    stream = a_stream(Kind.IID)
    times = [sample.at for sample in stream.reference]

    assert times == sorted(times)
    assert timedelta(days=13) < times[-1] - times[0] < timedelta(days=14)
    assert stream.samples[0].at > times[-1]


def test_an_unbroken_reference_ends_where_the_stream_begins() -> None:
    stream = a_stream(Kind.UNBROKEN)
    times = [sample.at for sample in (*stream.reference, *stream.samples)]

    assert {after - before for before, after in pairwise(times)} == {timedelta(minutes=1.44)}


@pytest.mark.parametrize("kind", [Kind.SESSIONS, Kind.UNBROKEN])
def test_a_user_of_a_session_sends_similar_conversations_in_a_row(kind: Kind) -> None:
    stream = a_stream(kind)
    sessions = [list(found) for _, found in groupby(stream.samples, key=lambda sample: sample.group)]

    assert 3 < len(stream.samples) / len(sessions) < 5
    assert all(len({regime_of(sample) for sample in session}) == 1 for session in sessions)
    assert len({session[0].group for session in sessions}) == len(sessions)


def test_regulars_hold_half_of_all_on_their_own_topics_and_of_each_session_one_counts() -> None:
    stream = a_stream(Kind.REGULARS)

    def regulars(samples: Iterable[Sample]) -> float:
        found = [sample.group.startswith("regular") for sample in samples]
        return sum(found) / len(found)

    topics = {
        regular: {regime_of(s) for s in stream.samples if s.group.startswith("regular") is regular}
        for regular in (True, False)
    }
    assert topics == {True: {"shops"}, False: {"sports"}}
    assert abs(regulars(stream.samples) - 0.5) < 0.06
    assert regulars(stream.counting) < 0.3
    assert len(stream.counting) < len(stream.reference)
    assert stream.block == min(400, len({sample.group for sample in stream.reference}))


def test_where_everybody_comes_once_all_of_a_reference_count() -> None:
    stream = a_stream(Kind.DAILY)

    assert stream.counting == stream.reference


def test_the_few_users_of_a_team_come_again_with_what_they_always_come_with() -> None:
    stream = a_stream(Kind.TEAM)

    def regimes(samples: Iterable[Sample]) -> dict[str, set[str]]:
        return {
            user: {regime_of(s) for s in samples if s.group == user} for user in {s.group for s in samples}
        }

    assert len(regimes(stream.samples)) == 60
    assert all(len(found) == 1 for found in regimes((*stream.reference, *stream.samples)).values())
    assert 3 < len(stream.samples) / len(list(groupby(stream.samples, key=lambda s: s.group))) < 5


def test_users_of_the_other_streams_come_once() -> None:
    for kind in (Kind.IID, Kind.DAILY, Kind.ABRUPT):
        samples = a_stream(kind, share=0.5).samples
        assert len({sample.group for sample in samples}) == len(samples)


def test_the_mix_of_a_day_is_that_of_the_same_hour_of_the_reference() -> None:
    stream = a_stream(Kind.DAILY)

    def shops(samples: Iterable[Sample], quarter: int) -> float:
        found = [regime_of(s) for s in samples if s.at.hour // 6 == quarter]
        return found.count("shops") / len(found)

    past, fresh = ([shops(side, q) for q in range(4)] for side in (stream.reference, stream.samples))

    assert max(past) - min(past) > 0.5
    assert all(abs(before - now) < 0.15 for before, now in zip(past, fresh, strict=True))


def test_a_wandering_mix_stays_for_a_while_where_it_went() -> None:
    blocks = {}
    for kind in (Kind.IID, Kind.WANDERING):
        shops = [regime_of(sample) == "shops" for sample in a_stream(kind).samples]
        blocks[kind] = [sum(shops[start : start + 50]) for start in range(0, len(shops), 50)]

    assert max(blocks[Kind.IID]) - min(blocks[Kind.IID]) < 25
    assert max(blocks[Kind.WANDERING]) - min(blocks[Kind.WANDERING]) > 30


@pytest.mark.parametrize("kind", CHANGES)
def test_nothing_is_new_before_the_change(kind: Kind) -> None:
    stream = a_stream(kind, share=0.5)

    assert stream.change_at is not None
    assert 300 <= stream.change_at <= 500
    assert share_new(stream.reference) == share_new(stream.samples[: stream.change_at]) == 0
    assert len(stream.samples) == stream.change_at + LENGTH.after


def test_what_is_new_comes_at_once_on_a_ramp_or_by_episodes() -> None:
    def shares(kind: Kind, width: int) -> list[float]:
        stream = a_stream(kind, share=0.6)
        after = stream.samples[stream.change_at :]
        return [share_new(after[start : start + width]) for start in range(0, len(after), width)]

    assert all(abs(share - 0.6) < 0.1 for share in shares(Kind.ABRUPT, EPISODE))
    ramp = shares(Kind.GRADUAL, RAMP)
    assert abs(ramp[0] - 0.3) < 0.1
    assert abs(ramp[1] - 0.6) < 0.1
    assert [share > 0.4 for share in shares(Kind.RECURRING, EPISODE)] == [True, False, True, False]
    assert shares(Kind.RECURRING, EPISODE)[1] == 0


def test_each_regime_of_a_source_is_left_out_in_turn_and_languages_change() -> None:
    english = Source(name="en", regimes={name: a_regime(name, ["word"]) for name in ("a", "b", "c")})
    chinese = Source(name="zh", regimes={"x": a_regime("x", ["酒店", "餐厅"])})

    populations = populations_of([english, chinese])

    assert [(population.family, population.name) for population in populations] == [
        ("en", "a"),
        ("en", "b"),
        ("en", "c"),
        ("en to zh", "language"),
    ]
    assert list(populations[1].before) == ["a", "c"]
    assert populations_of([chinese]) == ()
