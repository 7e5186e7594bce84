import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from registry.gate import (
    BadGateSettings,
    BadPairs,
    GateSettings,
    NoLooksLeft,
    Pair,
    ScoredAnswer,
    SliceData,
    judge,
    margin_pair,
    preference_margin,
)
from registry.looks import waits_for_data, worth_another_look
from registry.types import Figure, GateReport, GateVerdict, Measure, SliceReport

SETTINGS = GateSettings()
PROMOTE, REJECT, INCONCLUSIVE = GateVerdict.PROMOTE, GateVerdict.REJECT, GateVerdict.INCONCLUSIVE


def a_slice(
    difference: float,
    *,
    role: str = "target",
    pairs: int = 100,
    spread: float = 0.1,
    users: int | None = None,
) -> SliceData:
    """Conversations of 10 tokens whose differences are spread evenly around ``difference``."""
    steps = [spread * (2 * index / (pairs - 1) - 1) if pairs > 1 else 0.0 for index in range(pairs)]
    made = tuple(
        Pair(
            id=f"c{index}",
            group=f"用户{index % (users or pairs)}",
            live_nll=20.0,
            candidate_nll=20.0 + 10 * (difference + step),
            tokens=10,
        )
        for index, step in enumerate(steps)
    )
    return SliceData(name=f"{role} slice", role=role, pairs=made)


def with_pair(data: SliceData, pair: Pair) -> SliceData:
    return replace(data, pairs=(pair, *data.pairs[1:]))


def verdict_on(*slices: SliceData, look: int = 1) -> GateVerdict:
    return judge(slices, SETTINGS, look=look).verdict


def only_slice(report: GateReport) -> SliceReport:
    (found,) = report.slices
    return found


def test_a_clear_win_passes() -> None:
    report = judge([a_slice(-0.5)], SETTINGS, look=1)

    assert report.verdict is PROMOTE
    found = only_slice(report)
    assert (found.live_loss, found.candidate_loss, found.difference) == pytest.approx((2.0, 1.5, -0.5))
    assert found.lower < -0.5 < found.upper < 0
    assert (found.needed, found.conversations, found.clusters) == (0, 100, 100)


def test_a_clear_loss_is_rejected() -> None:
    assert verdict_on(a_slice(0.5)) is REJECT


def test_a_difference_lost_in_the_noise_is_inconclusive_and_says_how_many_more_it_needs() -> None:
    found = only_slice(judge([a_slice(-0.01)], SETTINGS, look=1))

    assert found.verdict is INCONCLUSIVE
    assert found.needed > 0
    assert str(found.needed) in found.reason


def test_what_was_needed_is_enough_when_the_difference_stays() -> None:
    needed = only_slice(judge([a_slice(-0.01)], SETTINGS, look=1)).needed

    assert verdict_on(a_slice(-0.01, pairs=100 + needed)) is PROMOTE


def test_a_protected_slice_may_be_worse_within_the_margin() -> None:
    assert verdict_on(a_slice(-0.5), a_slice(0.01, role="protected", spread=0.01)) is PROMOTE


def test_a_protected_slice_beyond_the_margin_rejects_whatever_else_was_won() -> None:
    assert verdict_on(a_slice(-0.5), a_slice(0.1, role="protected")) is REJECT


def test_no_difference_found_on_a_protected_slice_is_not_enough_where_the_noise_is_wider_than_the_margin() -> (
    None
):
    assert verdict_on(a_slice(-0.5), a_slice(0.0, role="protected", spread=1.0)) is INCONCLUSIVE


def test_the_least_gain_has_to_be_exceeded() -> None:
    asking = replace(SETTINGS, min_gain=0.2)

    assert judge([a_slice(-0.1)], asking, look=1).verdict is REJECT
    assert judge([a_slice(-0.3)], asking, look=1).verdict is PROMOTE


def test_a_candidate_that_changes_nothing_is_rejected() -> None:
    assert verdict_on(a_slice(0.0, spread=0.0)) is REJECT


@pytest.mark.parametrize("slices", [[], [a_slice(-0.5, role="protected")]])
def test_without_a_target_slice_nothing_passes(slices: Sequence[SliceData]) -> None:
    assert verdict_on(*slices) is INCONCLUSIVE


@pytest.mark.parametrize("role", ["target", "protected"])
def test_an_empty_slice_is_inconclusive(role: str) -> None:
    report = judge([a_slice(-0.5), SliceData(name="empty", role=role, pairs=())], SETTINGS, look=1)

    assert report.verdict is INCONCLUSIVE
    assert report.slices[1].needed == SETTINGS.min_clusters


def test_too_few_users_are_no_evidence_however_much_they_say() -> None:
    found = only_slice(judge([a_slice(-0.5, pairs=190, users=19)], SETTINGS, look=1))

    assert found.verdict is INCONCLUSIVE
    assert found.needed == 10


def test_too_few_users_are_no_evidence_against_a_candidate_either() -> None:
    assert verdict_on(a_slice(0.5, pairs=190, users=19)) is INCONCLUSIVE


def test_one_user_bounds_nothing() -> None:
    found = only_slice(judge([a_slice(-0.5, users=1)], SETTINGS, look=1))

    assert found.verdict is INCONCLUSIVE
    assert (found.lower, found.upper) == (-math.inf, math.inf)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_candidate_whose_loss_is_no_number_is_rejected(loss: float) -> None:
    data = a_slice(-0.5)
    report = judge([with_pair(data, replace(data.pairs[0], candidate_nll=loss))], SETTINGS, look=1)

    assert report.verdict is REJECT
    assert "c0" in report.reason


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_live_version_whose_loss_is_no_number_is_no_yardstick(loss: float) -> None:
    data = a_slice(-0.5)
    broken = with_pair(data, replace(data.pairs[0], live_nll=loss, candidate_nll=math.nan))

    assert verdict_on(broken) is INCONCLUSIVE


@pytest.mark.parametrize("tokens", [0, -1])
def test_a_conversation_without_tokens_is_refused(tokens: int) -> None:
    data = a_slice(-0.5)

    with pytest.raises(BadPairs, match="c0"):
        judge([with_pair(data, replace(data.pairs[0], tokens=tokens))], SETTINGS, look=1)


def test_a_conversation_that_comes_twice_is_refused() -> None:
    data = a_slice(-0.5)

    with pytest.raises(BadPairs, match="c1 is given twice"):
        judge([with_pair(data, data.pairs[1])], SETTINGS, look=1)


def test_a_slice_that_comes_twice_is_refused() -> None:
    with pytest.raises(BadPairs, match="target slice is given twice"):
        judge([a_slice(-0.5), a_slice(-0.5)], SETTINGS, look=1)


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(BadPairs, match="bystander"):
        judge([a_slice(-0.5, role="bystander")], SETTINGS, look=1)


def test_the_last_look_says_that_it_was_the_last() -> None:
    report = judge([a_slice(-0.01)], SETTINGS, look=3)

    assert report.verdict is INCONCLUSIVE
    assert "last of 3 looks" in report.reason


@pytest.mark.parametrize("look", [0, 4])
def test_a_look_too_many_is_refused(look: int) -> None:
    with pytest.raises(NoLooksLeft):
        judge([a_slice(-0.5)], SETTINGS, look=look)


def test_more_looks_ask_for_stronger_evidence() -> None:
    wide = only_slice(judge([a_slice(-0.5)], replace(SETTINGS, max_looks=5), look=1))
    narrow = only_slice(judge([a_slice(-0.5)], replace(SETTINGS, max_looks=1), look=1))

    assert wide.upper > narrow.upper


def test_conversations_of_the_same_users_are_weaker_evidence() -> None:
    many = only_slice(judge([a_slice(-0.02, pairs=100)], SETTINGS, look=1))
    pairs = a_slice(-0.02, pairs=100).pairs
    ordered = tuple(replace(pair, group=f"u{index // 4}") for index, pair in enumerate(pairs))
    few = only_slice(judge([SliceData(name="s", role="target", pairs=ordered)], SETTINGS, look=1))

    assert few.upper - few.lower > 1.5 * (many.upper - many.lower)


def test_long_conversations_count_for_their_tokens() -> None:
    data = a_slice(-0.1, spread=0.0)
    long = replace(data.pairs[0], live_nll=2000.0, candidate_nll=2300.0, tokens=1000)

    assert only_slice(judge([with_pair(data, long)], SETTINGS, look=1)).difference > 0


def test_the_order_of_conversations_does_not_matter() -> None:
    data = a_slice(-0.01, users=40)
    turned = replace(data, pairs=tuple(reversed(data.pairs)))

    ours, theirs = (only_slice(judge([each], SETTINGS, look=1)) for each in (data, turned))
    assert (ours.difference, ours.lower, ours.upper) == pytest.approx(
        (theirs.difference, theirs.lower, theirs.upper), abs=1e-12
    )


def test_a_hopeless_question_needs_a_bounded_number() -> None:
    found = only_slice(judge([a_slice(0.0)], SETTINGS, look=1))

    assert found.verdict is INCONCLUSIVE
    assert found.needed == 1_000_000


@pytest.mark.parametrize(
    ("field", "value"),
    [("alpha", 0.0), ("alpha", 0.5), ("alpha", math.nan), ("margin", -0.1), ("margin", math.nan),
     ("min_gain", -0.1), ("min_gain", math.inf), ("max_looks", 0), ("min_clusters", 1)],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(field: str, value: float) -> None:
    made: dict[str, Any] = {field: value}

    with pytest.raises(BadGateSettings, match=field):
        GateSettings(**made)


def preferences(gain: float, *, users: int = 40, role: str = "protected") -> SliceData:
    """Pairs of answers, one a user, whose margin the candidate widens by about ``gain``."""
    pairs = tuple(
        margin_pair(f"c{n}", f"用户{n}", live=0.3, candidate=0.3 + gain + 0.001 * (n % 5 - 2))
        for n in range(users)
    )
    return SliceData(name="preferred answers", role=role, pairs=pairs, measure=Measure.MARGIN)


def test_a_margin_is_of_nats_per_token_whatever_the_lengths() -> None:
    short, long = ScoredAnswer(nll=2.0, tokens=2), ScoredAnswer(nll=130.0, tokens=100)

    assert preference_margin(short, long) == pytest.approx(0.3)
    assert preference_margin(long, short) == pytest.approx(-0.3)


def test_a_wider_margin_is_told_in_its_own_words() -> None:
    report = judge([a_slice(-0.5), preferences(0.14)], SETTINGS, look=1)
    found = report.slices[1]

    assert report.verdict is PROMOTE
    assert found.reason.startswith("preferred answers: not worse: margin 0.300 -> 0.440 nats per token")
    assert "must be above -0.020) on 40 pairs of 40 users" in found.reason
    assert (found.live_loss, found.candidate_loss, found.difference) == pytest.approx((-0.3, -0.44, -0.14))


def test_a_narrower_margin_rejects() -> None:
    report = judge([a_slice(-0.5), preferences(-0.14)], SETTINGS, look=1)

    assert report.verdict is REJECT
    assert report.reason.startswith("preferred answers: worse: margin 0.300 -> 0.160")


@pytest.mark.parametrize("gain", [0.14, -0.14])
def test_preferences_of_too_few_users_are_reported_and_do_not_decide(gain: float) -> None:
    report = judge([a_slice(-0.5), preferences(gain, users=19)], SETTINGS, look=1)

    assert report.verdict is PROMOTE
    assert (report.slices[1].role, report.slices[1].conversations) == ("reported", 19)


def test_preferences_that_scatter_too_much_to_tell_do_not_hold_a_candidate_back() -> None:
    scattered = tuple(
        margin_pair(f"c{n}", f"u{n}", live=0.3, candidate=0.3 + 0.5 * (-1) ** n) for n in range(40)
    )
    report = judge([a_slice(-0.5), replace(preferences(0.0), pairs=scattered)], SETTINGS, look=1)

    assert report.verdict is PROMOTE
    assert (report.slices[1].verdict, report.slices[1].role) == (INCONCLUSIVE, "reported")


def test_margins_of_few_users_that_are_no_numbers_reject() -> None:
    broken = margin_pair("c0", "u0", live=0.3, candidate=math.nan)
    report = judge([a_slice(-0.5), with_pair(preferences(0.1, users=3), broken)], SETTINGS, look=1)

    assert report.verdict is REJECT


def test_what_is_reported_only_does_not_keep_a_candidate_from_another_look() -> None:
    report = judge([a_slice(-0.01), preferences(0.0, users=3)], SETTINGS, look=1)

    assert report.verdict is INCONCLUSIVE
    assert waits_for_data(report, max_looks=3, limit=10_000)
    assert worth_another_look(report, {"target slice": 10_000}, max_looks=3, limit=10_000)


def test_figures_are_handed_on() -> None:
    figure = Figure(name="token F1", live=0.1, candidate=0.8, count=40)

    assert judge([a_slice(-0.5)], SETTINGS, look=1, figures=[figure]).figures == (figure,)
