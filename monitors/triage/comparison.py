"""Compares the conversations since a change with the reference: what to score, and the evidence that comes of it."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, islice, zip_longest
from statistics import median_low
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from monitors.defects import defects_of
from monitors.sample_requirements import group_ranks, limit_per_group
from monitors.triage import intervals
from monitors.triage.answer_churn import AnswerChurn, answer_churn
from monitors.triage.intervals import Interval
from monitors.triage.learnable_loss import ScoredConversation, learnable_losses
from monitors.triage.question_pairs import same_questions
from monitors.triage.triage import Evidence, TriageResult, broken, triage
from monitors.types import Aspect, Outcome, Sample

#: Conversations of each side whose loss is measured, one a user; and pairs that ask the same.
_SCORED, _PAIRS = 80, 30
#: Users on each side, and pairs, below which there is too little to say anything.
_FEWEST_USERS, _FEWEST_PAIRS = 20, 10
_EXAMPLES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedConversation:
    """A conversation of either side."""

    key: int
    sample: Sample
    #: It has an answer to imitate that the live version neither wrote nor may know by heart, so its loss is informative.
    scorable: bool
    taught: Sample | None = None  # with the answers to imitate in place of others; None: it has none
    opinion: float | None = None  # the user's, of an answer of the live version, from -1 to 1
    opinion_delay: timedelta | None = None  # after the conversation; None where nobody noted it


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """The conversations since a change, and the reference."""

    new: Sequence[ComparedConversation]
    reference: Sequence[ComparedConversation]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoringPlan:
    """Which conversations to score under the live version, by their keys."""

    new: tuple[int, ...]
    reference: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]  # (new, reference) that ask the same

    @property
    def order(self) -> list[int]:
        """All of them once, both sides in turn: whenever time runs out, either side has its share."""
        alternating = (
            key for both in zip_longest(self.new, self.reference) for key in both if key is not None
        )
        return list(dict.fromkeys(chain(alternating, chain.from_iterable(self.pairs))))


@dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
    """What triage concludes about a change."""

    result: TriageResult
    numbers: Mapping[str, float]
    examples: tuple[str, ...] = ()  # ids of conversations that show why training can't help


class _Losses(TypedDict, total=False):
    """The part of the evidence that comes from losses."""

    loss: Interval
    reference_loss: float
    lesson: Interval
    extra_lesson: Interval


def plan_scoring(sides: Sides, *, seed: int) -> ScoringPlan:
    """Draw scorable conversations of each side, one a user, and pair those that ask the same. A seed fixes the draw."""
    new, reference = (
        [compared for compared in side if compared.scorable] for side in (sides.new, sides.reference)
    )
    keys = {compared.sample.id: compared.key for compared in (*sides.new, *sides.reference)}
    pairs = same_questions(_samples(new), _samples(reference), limit=_PAIRS)
    return ScoringPlan(
        new=_drawn(new, seed),
        reference=_drawn(reference, seed),
        pairs=tuple((keys[asked.id], keys[known.id]) for asked, known in pairs),
    )


def conclude(
    sides: Sides, plan: ScoringPlan, scored: Mapping[int, ScoredConversation], *, leading: Aspect | None
) -> Conclusion:
    """Conclude from what is scored by now. ``leading``: the aspect that the detector is surest of."""
    # Only the answers to imitate: a model that invents figures says nothing about whether the facts change.
    answers = answer_churn([compared.taught for compared in sides.new if compared.taught is not None])
    evidence = collect_evidence(sides, plan, scored, leading=leading, answers=answers)
    result = triage(evidence)
    cant_help = result.outcome is Outcome.CANT_HELP
    return Conclusion(
        result=result,
        numbers=numbers_of(evidence),
        examples=_examples(sides, evidence, answers) if cant_help else (),
    )


def collect_evidence(
    sides: Sides,
    plan: ScoringPlan,
    scored: Mapping[int, ScoredConversation],
    *,
    leading: Aspect | None,
    answers: AnswerChurn,
) -> Evidence:
    """Measure the change. Losses are in nats per token of the live version."""
    new, reference = _of(scored, plan.new), _of(scored, plan.reference)
    return Evidence(
        **_losses(new, reference) if len(new) >= _FEWEST_USERS else {},
        answered_itself=min(len(plan.new), len(plan.reference)) < _FEWEST_USERS,
        feedback=_feedback(sides),
        concept=_concept([_of(scored, pair) for pair in plan.pairs]),
        defects=_defects(sides),
        changing_answers=answers.share,
        leading_aspect=leading,
    )


def numbers_of(evidence: Evidence) -> dict[str, float]:
    """Return the evidence as numbers by name."""
    named = {
        "loss": evidence.loss, "feedback": evidence.feedback, "lesson": evidence.lesson,
        "extra_lesson": evidence.extra_lesson, "concept": evidence.concept, "defects": evidence.defects,
        "changing_answers": evidence.changing_answers,
    }  # fmt: skip
    numbers = {"reference_loss": evidence.reference_loss}
    for name, interval in named.items():
        if interval is not None:
            numbers |= interval.numbers(name)
    return numbers


def _samples(side: Iterable[ComparedConversation]) -> tuple[Sample, ...]:
    return tuple(compared.sample for compared in side)


def _drawn(side: Sequence[ComparedConversation], seed: int) -> tuple[int, ...]:
    singles = [
        compared.key for compared, rank in zip(side, group_ranks(_samples(side)), strict=True) if rank == 0
    ]
    return tuple(random.Random(seed).sample(singles, min(_SCORED, len(singles))))  # noqa: S311 - not a secret


def _of(scored: Mapping[int, ScoredConversation], keys: Iterable[int]) -> list[ScoredConversation]:
    return [scored[key] for key in keys if key in scored]


def _losses(new: Sequence[ScoredConversation], reference: Sequence[ScoredConversation]) -> _Losses:
    """Compare losses, and what there is to learn. The reference teaches with as many conversations as the new ones.

    Where the reference has too few answers to imitate, only what there is to learn is measured.
    """
    tokens = [len(each.tokens) for each in new]
    learnable, known = learnable_losses(new), learnable_losses(new, reference[: len(new) - 1])
    found: _Losses = {
        "lesson": intervals.mean(intervals.per_unit(learnable, tokens)),
        "extra_lesson": intervals.mean(intervals.per_unit(learnable - known, tokens)),
    }
    if len(reference) >= _FEWEST_USERS:
        before = _per_token(reference)
        found["loss"] = intervals.difference(_per_token(new), before)
        found["reference_loss"] = float(before.mean())
    return found


def _per_token(scored: Sequence[ScoredConversation]) -> NDArray[np.float64]:
    return intervals.per_unit([sum(each.nats) for each in scored], [len(each.tokens) for each in scored])


def _feedback(sides: Sides) -> Interval | None:
    """Compare opinions given within the time that most new conversations are old: later ones are not known yet."""
    if not sides.new:
        return None
    latest = max(compared.sample.at for compared in sides.new)
    wait = median_low(latest - compared.sample.at for compared in sides.new)
    old_enough = [compared for compared in sides.new if latest - compared.sample.at >= wait]
    new, reference = (_opinions(side, wait) for side in (old_enough, sides.reference))
    return intervals.difference(new, reference) if min(len(new), len(reference)) >= _FEWEST_USERS else None


def _opinions(side: Iterable[ComparedConversation], wait: timedelta) -> list[float]:
    """Return each user's mean opinion, from -1 to 1, of those given in time."""
    given = [
        (compared.opinion, compared.sample.group)
        for compared in side
        if compared.opinion is not None and (compared.opinion_delay is None or compared.opinion_delay <= wait)
    ]
    return intervals.by_user([opinion for opinion, _ in given], [user for _, user in given])


def _concept(pairs: Iterable[Sequence[ScoredConversation]]) -> Interval | None:
    """Compare the losses on questions that both sides ask."""
    complete = [pair for pair in pairs if len(pair) == 2]
    if len(complete) < _FEWEST_PAIRS:
        return None
    new, reference = (_per_token(side) for side in zip(*complete, strict=True))
    return intervals.mean(new - reference)


def _defects(sides: Sides) -> Interval | None:
    singles = [limit_per_group(_samples(side), 1) for side in (sides.new, sides.reference)]
    if min(map(len, singles)) < _FEWEST_USERS:
        return None
    new, reference = (
        intervals.share(sum(any(defects_of(sample).values()) for sample in side), len(side))
        for side in singles
    )
    return intervals.share_difference(new, reference)


def _examples(sides: Sides, evidence: Evidence, answers: AnswerChurn) -> tuple[str, ...]:
    if not broken(evidence):
        return answers.examples
    defective = (sample.id for sample in _samples(sides.new) if any(defects_of(sample).values()))
    return tuple(islice(defective, _EXAMPLES))
