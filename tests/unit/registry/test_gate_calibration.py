"""The gate keeps its promise: simulated candidates that must not pass do so in at most alpha of all cases."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, norm

from registry.checks import CheckData, judge_checks
from registry.gate import GateSettings, Pair, SliceData, judge
from registry.types import GateReport, GateVerdict

TRIALS = 600
#: Conversations a user has, drawn from: one each, a few each, and a handful of users who talk most of the time.
ACTIVITY: dict[str, Callable[[np.random.Generator], int]] = {
    "one each": lambda _: 1,
    "a few each": lambda rng: int(rng.geometric(0.25)),
    "very unequal": lambda rng: min(60, 1 + int(rng.pareto(1.2))),
}


class Crowd:
    """An endless stream of held-out conversations: of lengths that differ, by users who resemble themselves."""

    def __init__(
        self, rng: np.random.Generator, activity: str, *, difference: float, spread: float = 0.1
    ) -> None:
        self._rng = rng
        self._activity = ACTIVITY[activity]
        self._difference = difference
        self._spread = spread
        self._pairs: list[Pair] = []
        self._users = 0

    def first(self, count: int, role: str) -> SliceData:
        while len(self._pairs) < count:
            self._add_user()
        return SliceData(name=role, role=role, pairs=tuple(self._pairs[:count]))

    def _add_user(self) -> None:
        self._users += 1
        count = self._activity(self._rng)
        of_user = 0.6 * self._spread * self._rng.standard_normal()
        differences: NDArray[np.float64] = (
            self._difference + of_user + self._spread * self._rng.standard_normal(count)
        )
        tokens = 1 + self._rng.lognormal(3.0, 0.6, count).astype(int)
        for difference, length in zip(differences.tolist(), tokens.tolist(), strict=True):
            self._pairs.append(
                Pair(
                    id=f"c{len(self._pairs)}",
                    group=f"u{self._users}",
                    live_nll=2.0 * length,
                    candidate_nll=(2.0 + difference) * length,
                    tokens=length,
                )
            )


def looked_at(
    look_at: Callable[[int, int], GateReport], settings: GateSettings, *, first: int, most: int
) -> bool:
    """Whether a candidate passes that gets all its looks, each with as many more conversations as were asked for."""
    count = first
    for look in range(1, settings.max_looks + 1):
        report = look_at(count, look)
        if report.verdict is not GateVerdict.INCONCLUSIVE:
            return report.verdict is GateVerdict.PROMOTE
        count = min(most, count + max(found.needed for found in report.slices))
    return False


def tolerated(rate: float) -> int:
    """As many passes of TRIALS as a true rate exceeds once in a thousand times."""
    return int(binom.ppf(0.999, TRIALS, rate))


@pytest.mark.parametrize("activity", ACTIVITY)
@pytest.mark.parametrize("looks", [1, 3])
def test_no_gain_passes_in_alpha_of_all_cases_at_most(activity: str, looks: int) -> None:
    settings = GateSettings(max_looks=looks)
    rng = np.random.default_rng(2026)
    passed = 0
    for _ in range(TRIALS):
        crowd = Crowd(rng, activity, difference=0.0)

        def look_at(count: int, look: int, crowd: Crowd = crowd) -> GateReport:
            return judge([crowd.first(count, "target")], settings, look=look)

        passed += looked_at(look_at, settings, first=60, most=240)

    assert passed <= tolerated(settings.alpha)


@pytest.mark.parametrize("activity", ACTIVITY)
def test_worse_by_the_margin_passes_in_alpha_of_all_cases_at_most(activity: str) -> None:
    settings = GateSettings()
    rng = np.random.default_rng(7)
    passed = 0
    for _ in range(TRIALS):
        won = Crowd(rng, activity, difference=-0.5)
        lost = Crowd(rng, activity, difference=settings.margin)

        def look_at(count: int, look: int, won: Crowd = won, lost: Crowd = lost) -> GateReport:
            return judge([won.first(60, "target"), lost.first(count, "protected")], settings, look=look)

        passed += looked_at(look_at, settings, first=60, most=240)

    assert passed <= tolerated(settings.alpha)


def test_with_one_look_the_promised_chance_is_used_up() -> None:
    settings = GateSettings(max_looks=1)
    rng = np.random.default_rng(11)
    passed = sum(
        judge([Crowd(rng, "one each", difference=0.0).first(60, "target")], settings, look=1).verdict
        is GateVerdict.PROMOTE
        for _ in range(TRIALS)
    )

    assert passed >= int(binom.ppf(0.001, TRIALS, 0.03))


def test_a_real_gain_without_harm_mostly_passes_at_once() -> None:
    settings = GateSettings()
    rng = np.random.default_rng(5)
    passed = sum(
        judge(
            [
                Crowd(rng, "a few each", difference=-0.05).first(300, "target"),
                Crowd(rng, "a few each", difference=-0.03).first(300, "protected"),
            ],
            settings,
            look=1,
        ).verdict
        is GateVerdict.PROMOTE
        for _ in range(TRIALS // 5)
    )

    assert passed >= 0.8 * (TRIALS // 5)


#: How often a version fails each of eight checks: most never, some often.
FAILING = (0.0, 0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


def checked(
    rng: np.random.Generator, prompts: int, *, more: float = 0.0, difficulty: float = 0.7
) -> list[CheckData]:
    """What checks find on both versions' answers; the candidate fails one more often by ``more``.

    Prompts differ: a share ``difficulty`` of an answer's failing is the prompt's, for both versions and all checks.
    """
    of_prompt = rng.standard_normal((prompts, 1, 1))
    own = rng.standard_normal((prompts, len(FAILING), 2))
    score = np.sqrt(difficulty) * of_prompt + np.sqrt(1.0 - difficulty) * own
    rates = np.repeat(np.array(FAILING)[:, None], 2, axis=1)
    rates[4, 1] += more
    failed = score < norm.ppf(rates)
    return [
        CheckData(name=f"check {check}", outcomes=tuple(map(tuple, failed[:, check].tolist())))
        for check in range(len(FAILING))
    ]


def harm_found(checks: list[CheckData], settings: GateSettings) -> bool:
    reports = judge_checks(checks, alpha=settings.alpha / settings.max_looks)
    return any(report.verdict is GateVerdict.REJECT for report in reports)


@pytest.mark.parametrize(("prompts", "difficulty"), [(12, 0.7), (40, 0.0), (40, 0.7), (80, 0.7)])
def test_checks_reject_the_harmless_in_alpha_of_all_cases_at_most(prompts: int, difficulty: float) -> None:
    settings = GateSettings()
    rng = np.random.default_rng(18)
    rejected = 0
    for _ in range(TRIALS):
        answers = checked(rng, prompts, difficulty=difficulty)
        looks = [prompts * look // settings.max_looks for look in range(1, settings.max_looks + 1)]
        rejected += any(
            harm_found([replace(check, outcomes=check.outcomes[:count]) for check in answers], settings)
            for count in looks
        )

    assert rejected <= tolerated(settings.alpha)


@pytest.mark.parametrize(("more", "least"), [(0.3, 0.9), (0.5, 0.99)])
def test_one_check_of_eight_finds_a_broken_candidate_on_40_prompts_at_one_look(
    more: float, least: float
) -> None:
    rng = np.random.default_rng(40)
    found = sum(harm_found(checked(rng, 40, more=more), GateSettings()) for _ in range(TRIALS))

    assert found >= least * TRIALS


def test_the_smallest_harm_that_a_report_names_is_found_in_80_percent_of_all_cases() -> None:
    rng = np.random.default_rng(80)
    (report,) = judge_checks([CheckData(name="c", outcomes=((False, False),) * 40)], alpha=0.05 / 3)
    found = 0
    for _ in range(TRIALS):
        outcomes = tuple((False, bool(failed)) for failed in rng.random(40) < report.smallest_harm)
        found += harm_found([CheckData(name="c", outcomes=outcomes)], GateSettings())

    assert found >= int(binom.ppf(0.001, TRIALS, 0.8))


def test_checks_cost_at_most_a_twentieth_of_the_promotions_of_what_is_harmless() -> None:
    settings = GateSettings()
    rng = np.random.default_rng(95)
    before = after = 0
    for _ in range(TRIALS // 2):
        slices = [
            Crowd(rng, "a few each", difference=-0.05).first(300, "target"),
            Crowd(rng, "a few each", difference=-0.03).first(300, "protected"),
        ]
        checks = checked(rng, 40)
        before += judge(slices, settings, look=1).verdict is GateVerdict.PROMOTE
        after += judge(slices, settings, look=1, checks=checks).verdict is GateVerdict.PROMOTE

    assert after >= 0.95 * before
