"""Checks of what versions write: a candidate must not fail an exact check more often than the live version.

Both versions answer the same prompts, and each answer passes or fails a check such as "ends by itself". The exact
one-sided McNemar test compares them: of the prompts on which only one version failed, the candidate's share is tested
against one half (McNemar 1947, Psychometrika 12(2); on the exact test, Fagerland, Lydersen and Laake 2013, BMC Medical
Research Methodology 13:91).

A check finds harm and proves nothing. One that finds none does not show that there is none, so each report names the
smallest harm that its prompts would have found with 80% power.

The level of a look is divided by the number of checks (Bonferroni). A false rejection costs no more than a candidate,
but with eight checks at the full level too many good ones would be lost. Only checks that could reject at all are
counted, which keeps the level and finds smaller harm: the test is discrete, and a check on which both versions agree
can't reject (Tarone 1990, Biometrics 46(2)).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from registry.errors import RegistryError
from registry.types import CheckReport, GateVerdict

_POWER = 0.8


class BadChecks(RegistryError):
    """Two checks have one name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckData:
    """What one check found in both versions' answers. The test takes prompts as independent: pass one a user."""

    name: str
    outcomes: tuple[
        tuple[bool, bool], ...
    ]  # a prompt each: whether the live version failed, and the candidate


def judge_checks(checks: Sequence[CheckData], *, alpha: float) -> tuple[CheckReport, ...]:
    """Judge checks so that one of them rejects a harmless candidate with a probability of at most ``alpha``.

    A check rejects (REJECT), finds no harm (PROMOTE) or has fewer prompts than any rejection takes (INCONCLUSIVE).
    Raises BadChecks.
    """
    names = [data.name for data in checks]
    if duplicates := {name for name in names if names.count(name) > 1}:
        raise BadChecks(f"check {min(duplicates)} is given twice")
    levels = _levels([_telling(data) for data in checks], alpha)
    return tuple(_judge_check(data, level) for data, level in zip(checks, levels, strict=True))


def mcnemar(worse: int, better: int) -> float:
    """Return the one-sided p-value that the candidate fails more often.

    ``worse`` and ``better`` are the numbers of prompts on which only the candidate and only the live version failed.
    """
    from scipy.special import bdtrc  # slow to import, and only the gate needs it

    return float(bdtrc(worse - 1, worse + better, 0.5)) if worse > 0 else 1.0


def least_prompts(level: float) -> int:
    """Return with how many prompts a test at this level can reject, if only the candidate fails and fails on all."""
    return math.ceil(-math.log2(level))


def smallest_harm(prompts: int, better: int, level: float) -> float:
    """Return by how much more often a candidate must fail for the test to reject it with 80% power.

    The harm is the difference of the shares of failing prompts, in steps of 0.01; infinite if no harm is found that
    surely. ``better`` is the number of prompts on which only the live version failed; its share is taken as given.
    """
    critical = _critical_values(prompts, level)
    share = better / prompts
    low, high = 0, math.floor(100 * (1.0 - 2.0 * share) + 1e-9)
    if high < 1 or _power(critical, share, high / 100) < _POWER:
        return math.inf
    while high - low > 1:  # the power at `low` is too small, at `high` it is enough
        middle = (low + high) // 2
        if _power(critical, share, middle / 100) < _POWER:
            low = middle
        else:
            high = middle
    return high / 100


def _levels(telling: Sequence[int], alpha: float) -> list[float]:
    """Return the level of each check, given the number of prompts that tell in each.

    It is ``alpha`` divided by the number of checks that could reject at it, the check itself counted as one.
    """
    levels = []
    for check in range(len(telling)):
        others, count = [*telling[:check], *telling[check + 1 :]], 1
        while 1 + sum(mcnemar(other, 0) <= alpha / count for other in others) > count:
            count += 1
        levels.append(alpha / count)
    return levels


def _telling(data: CheckData) -> int:
    """Return on how many prompts only one version failed: only these tell which fails more often."""
    return sum(live != candidate for live, candidate in data.outcomes)


def _critical_values(prompts: int, level: float) -> list[int]:
    """Return the fewest failures of the candidate alone that reject, for each number of prompts that tell."""
    found, worse = [], 1
    for telling in range(prompts + 1):
        while worse <= telling and mcnemar(worse, telling - worse) > level:
            worse += 1
        found.append(worse)
    return found


def _power(critical: Sequence[int], share: float, harm: float) -> float:
    """Return the test's power where the live version alone fails with this probability, the candidate by ``harm`` more."""
    import numpy as np
    from scipy.special import bdtr, bdtrc

    prompts, tells = len(critical) - 1, harm + 2.0 * share
    telling = np.arange(prompts + 1)
    below = np.concatenate([[0.0], bdtr(telling, prompts, min(1.0, tells))])
    rejects = bdtrc(np.asarray(critical) - 1.0, telling, (harm + share) / tells)
    return float((np.diff(below) * np.where(np.asarray(critical) <= telling, rejects, 0.0)).sum())


def _judge_check(data: CheckData, level: float) -> CheckReport:
    prompts = len(data.outcomes)
    worse = sum(candidate and not live for live, candidate in data.outcomes)
    better = sum(live and not candidate for live, candidate in data.outcomes)
    live_failed = sum(live for live, _ in data.outcomes)
    candidate_failed = live_failed + worse - better
    p_value, harm = mcnemar(worse, better), math.inf
    failed = f"failed on {live_failed} -> {candidate_failed} of {prompts} prompts"
    if prompts < least_prompts(level):
        verdict = GateVerdict.INCONCLUSIVE
        reason = f"{data.name}: too few prompts, {prompts} of {least_prompts(level)} needed: {failed}"
    else:
        harm = smallest_harm(prompts, better, level)
        verdict = GateVerdict.REJECT if p_value <= level else GateVerdict.PROMOTE
        reason = f"{data.name}: " + (
            f"fails more often: {failed}, {worse} of them by the candidate alone and {better} by the live version "
            f"alone (p {p_value:.2g}, must be above {level:.2g})"
            if verdict is GateVerdict.REJECT
            else f"no harm found on {prompts} prompts: {failed} (p {p_value:.2g}); {_would_find(harm)}"
        )
    return CheckReport(
        name=data.name,
        prompts=prompts,
        live_failed=live_failed,
        candidate_failed=candidate_failed,
        worse=worse,
        better=better,
        p_value=p_value,
        smallest_harm=harm,
        verdict=verdict,
        reason=reason,
    )


def _would_find(harm: float) -> str:
    if math.isinf(harm):
        return "so few would find no harm with 80% power"
    return f"they would find {harm:.0%} more failures with 80% power"
