import math

import pytest
from scipy.stats import binom, binomtest

from registry.checks import BadChecks, CheckData, judge_checks, least_prompts, mcnemar, smallest_harm
from registry.gate import GateSettings, Pair, SliceData, judge
from registry.types import CheckReport, GateReport, GateVerdict

PROMOTE, REJECT, INCONCLUSIVE = GateVerdict.PROMOTE, GateVerdict.REJECT, GateVerdict.INCONCLUSIVE


def a_check(
    *, worse: int = 0, better: int = 0, both: int = 0, prompts: int = 40, name: str = "ends"
) -> CheckData:
    """A check that only the candidate fails on ``worse`` prompts, only the live version on ``better``, and both."""
    neither = prompts - worse - better - both
    outcomes = [(False, True)] * worse + [(True, False)] * better + [(True, True)] * both
    return CheckData(name=name, outcomes=tuple(outcomes + [(False, False)] * neither))


def judged(*checks: CheckData, alpha: float = 0.05) -> CheckReport:
    return judge_checks(checks, alpha=alpha)[0]


def gated(*checks: CheckData, gain: float = 0.5) -> GateReport:
    pairs = tuple(
        Pair(id=f"c{n}", group=f"u{n}", live_nll=20.0, candidate_nll=20 - 10 * gain + n % 5, tokens=10)
        for n in range(100)
    )
    slices = [SliceData(name="new", role="target", pairs=pairs)]
    return judge(slices, GateSettings(), look=1, checks=checks)


@pytest.mark.parametrize(("worse", "better"), [(0, 0), (0, 5), (3, 0), (7, 2), (12, 11), (40, 0), (400, 350)])
def test_the_p_value_is_the_sign_test_on_prompts_that_tell(worse: int, better: int) -> None:
    expected = binomtest(worse, worse + better, alternative="greater").pvalue if worse + better else 1.0

    assert mcnemar(worse, better) == pytest.approx(expected)


def test_a_candidate_that_fails_more_often_is_rejected_with_the_numbers() -> None:
    found = judged(a_check(worse=14, better=1, both=2))

    assert (found.verdict, found.live_failed, found.candidate_failed) == (REJECT, 3, 16)
    assert (found.worse, found.better, found.prompts) == (14, 1, 40)
    assert "ends: fails more often: failed on 3 -> 16 of 40 prompts" in found.reason


def test_failures_that_both_share_tell_nothing() -> None:
    assert judged(a_check(both=40)).p_value == 1.0


def test_no_harm_found_says_on_how_many_prompts_and_what_they_would_find() -> None:
    found = judged(a_check(worse=1, better=1))

    assert found.verdict is PROMOTE
    assert "no harm found on 40 prompts: failed on 1 -> 1 of 40 prompts" in found.reason
    assert f"would find {found.smallest_harm:.0%} more failures with 80% power" in found.reason


@pytest.mark.parametrize("prompts", [0, 1, 4])
def test_fewer_prompts_than_a_rejection_takes_are_inconclusive(prompts: int) -> None:
    found = judged(a_check(worse=prompts, prompts=prompts))

    assert found.verdict is INCONCLUSIVE
    assert f"{prompts} of 5 needed" in found.reason
    assert math.isinf(found.smallest_harm)


def test_as_few_prompts_as_a_rejection_takes_can_reject() -> None:
    assert least_prompts(0.05) == 5
    assert judged(a_check(worse=5, prompts=5)).verdict is REJECT


def test_checks_that_could_reject_share_the_level() -> None:
    alone = a_check(worse=5, prompts=40)
    others = [a_check(worse=3, better=3, name=f"other {n}") for n in range(3)]

    assert judged(alone).verdict is REJECT
    assert judged(alone, *others).verdict is PROMOTE


def test_checks_on_which_both_agree_cost_nothing() -> None:
    others = [a_check(both=n, name=f"other {n}") for n in range(7)]

    assert judged(a_check(worse=5), *others).verdict is REJECT


def test_a_check_that_comes_twice_is_refused() -> None:
    with pytest.raises(BadChecks, match="ends is given twice"):
        judged(a_check(), a_check())


@pytest.mark.parametrize(("prompts", "better"), [(10, 0), (40, 0), (40, 2), (200, 10)])
def test_the_smallest_harm_is_found_with_80_percent_power_and_no_smaller_one(
    prompts: int, better: int
) -> None:
    level, share = 0.05 / 3, better / prompts
    harm = smallest_harm(prompts, better, level)

    assert power(prompts, share, harm, level) >= 0.8 - 1e-9
    assert power(prompts, share, harm - 0.01, level) < 0.8


def power(prompts: int, share: float, harm: float, level: float) -> float:
    """The chance to reject, summed over all that can be seen."""
    total, tells = 0.0, harm + 2 * share
    for telling in range(prompts + 1):
        for worse in range(telling + 1):
            if binom.sf(worse - 1, telling, 0.5) <= level:
                total += binom.pmf(telling, prompts, tells) * binom.pmf(
                    worse, telling, (harm + share) / tells
                )
    return total


def test_prompts_on_which_the_live_version_fails_everywhere_find_no_harm() -> None:
    assert math.isinf(smallest_harm(40, 40, 0.05))


def test_one_check_rejects_whatever_was_won() -> None:
    report = gated(a_check(worse=14), a_check(name="language"))

    assert report.verdict is REJECT
    assert report.reason.startswith("ends: fails more often")
    assert "language" not in report.reason


def test_checks_without_enough_prompts_hold_nothing_back() -> None:
    report = gated(a_check(worse=2, prompts=2), a_check(name="language"))

    assert report.verdict is PROMOTE
    assert "1 of 2 checks had enough prompts, none found harm" in report.reason


def test_checks_alone_promote_nothing() -> None:
    report = judge([], GateSettings(), look=1, checks=[a_check()])

    assert report.verdict is INCONCLUSIVE
    assert report.reason == "there are no new held-out conversations yet"


def test_a_check_rejects_without_new_conversations_too() -> None:
    report = judge([], GateSettings(), look=1, checks=[a_check(worse=14)])

    assert report.verdict is REJECT
    assert "fails more often" in report.reason


def test_more_looks_ask_for_stronger_evidence_of_harm() -> None:
    check = a_check(worse=5)
    one, three = (judge([], GateSettings(max_looks=looks), look=1, checks=[check]) for looks in (1, 3))

    assert (one.verdict, three.verdict) == (REJECT, INCONCLUSIVE)
