"""Looks into a confirmed alarm: what is compared, what has to be scored for it, and what evidence that gives."""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, islice, zip_longest
from statistics import median_low
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from daemon.domain.records import StoredConversation
from daemon.drift.samples import samples_of
from daemon.ledger.signals import LateSignal
from learners.types import Surprisals
from monitors.defects import defects_of
from monitors.sample_requirements import at_most, ranks
from monitors.triage import intervals
from monitors.triage.answer_churn import AnswerChurn, answer_churn
from monitors.triage.intervals import Interval
from monitors.triage.learnable_loss import ScoredConversation, learnable_losses
from monitors.triage.question_pairs import same_questions
from monitors.triage.triage import Evidence, broken
from monitors.types import Aspect

#: Conversations of each side whose loss is measured, one a user, and pairs that ask the same.
_SAMPLE, _PAIRS = 80, 30
#: Users on each side, and pairs, below which there is nothing to be said.
_FEWEST, _FEWEST_PAIRS = 20, 10
_EXAMPLES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class TriageSamples:
    """The conversations since a change, and those that the live version is known to handle."""

    new: Sequence[StoredConversation]
    reference: Sequence[StoredConversation]
    version: str  # that is live
    learned_until: int  # it may have learned from what is not held out up to here; 0: from nothing
    opinions: Mapping[int, LateSignal] = field(default_factory=dict)  # of users on these, by seq


class _Losses(TypedDict, total=False):
    """The part of the evidence that comes of losses."""

    loss: Interval
    reference_loss: float
    lesson: Interval
    extra_lesson: Interval


class TriageEvidenceBuilder:
    """One change, looked into piece by piece."""

    def __init__(self, sides: TriageSamples, *, leading: Aspect | None, seed: int) -> None:
        """``leading``: what the detector is surest of."""
        self._sides = sides
        self._leading = leading
        self._new, self._reference = (
            _drawn(list(filter(self._tells, side)), seed) for side in (sides.new, sides.reference)
        )
        self._talks = {
            conversation.conversation_id: conversation for conversation in (*sides.new, *sides.reference)
        }
        self._pairs = [
            (self._talks[new.id], self._talks[known.id])
            for new, known in same_questions(
                *(samples_of(filter(self._tells, side)) for side in (sides.new, sides.reference)),
                limit=_PAIRS,
            )
        ]
        self._waiting = _distinct(
            chain(_alternately(self._new, self._reference), chain.from_iterable(self._pairs))
        )
        self._scored: dict[int, ScoredConversation] = {}

    def next(self, count: int) -> list[StoredConversation]:
        """Return the conversations to score now; none: all are."""
        return self._waiting[:count]

    def take(self, found: Sequence[Surprisals]) -> None:
        """Take what was found of the next ones, which are named by their seq."""
        self._waiting = self._waiting[len(found) :]
        for each in found:
            if each.tokens and all(map(math.isfinite, each.nats)):
                self._scored[int(each.id)] = ScoredConversation(
                    id=each.id, tokens=each.tokens, nats=each.nats
                )

    def evidence(self, answers: AnswerChurn) -> Evidence:
        """Return what is known by now."""
        new, reference = self._of(self._new), self._of(self._reference)
        return Evidence(
            **_losses(new, reference) if min(len(new), len(reference)) >= _FEWEST else {},
            answered_itself=min(len(self._new), len(self._reference)) < _FEWEST,
            feedback=self._feedback(),
            concept=self._concept(),
            defects=self._defects(),
            changing_answers=answers.share,
            leading=self._leading,
        )

    def examples(self, evidence: Evidence, answers: AnswerChurn) -> tuple[str, ...]:
        """Return the ids of conversations that show why training can't help."""
        if not broken(evidence):
            return answers.examples
        told = samples_of(self._sides.new)
        return tuple(islice((sample.id for sample in told if any(defects_of(sample).values())), _EXAMPLES))

    def answers(self) -> AnswerChurn:
        """Return how common it is among the new ones that the same question gets other figures."""
        return answer_churn(samples_of(self._sides.new))

    def _tells(self, conversation: StoredConversation) -> bool:
        """Whether its loss tells anything: not of words that the live version said itself, or may know by heart."""
        unknown = conversation.held_out or conversation.seq > self._sides.learned_until
        return unknown and conversation.version != self._sides.version

    def _of(self, conversations: Iterable[StoredConversation]) -> list[ScoredConversation]:
        return [
            self._scored[conversation.seq]
            for conversation in conversations
            if conversation.seq in self._scored
        ]

    def _feedback(self) -> Interval | None:
        """Compare opinions that were given as soon as most of the new conversations are old: later ones are unknown yet."""
        if not self._sides.new:
            return None
        latest = max(conversation.at for conversation in self._sides.new)
        wait = median_low(latest - conversation.at for conversation in self._sides.new)
        old_enough = [conversation for conversation in self._sides.new if latest - conversation.at >= wait]
        new, reference = (self._scores(side, wait) for side in (old_enough, self._sides.reference))
        return intervals.difference(new, reference) if min(len(new), len(reference)) >= _FEWEST else None

    def _scores(self, side: Sequence[StoredConversation], wait: timedelta) -> list[float]:
        """Return each user's mean opinion of the live version's answers, from -1 to 1, of those given within a time."""
        given = [
            (said.value, conversation.group)
            for conversation in side
            if conversation.version in (None, self._sides.version)
            and (said := self._sides.opinions.get(conversation.seq)) is not None
            and said.value is not None
            and (said.delay is None or said.delay <= wait)
        ]
        return intervals.by_user([score for score, _ in given], [user for _, user in given])

    def _concept(self) -> Interval | None:
        scored = [pair for pair in map(self._of, self._pairs) if len(pair) == 2]
        if len(scored) < _FEWEST_PAIRS:
            return None
        new, reference = (_per_token(side) for side in zip(*scored, strict=True))
        return intervals.mean(new - reference)

    def _defects(self) -> Interval | None:
        sides = [at_most(samples_of(side), 1) for side in (self._sides.new, self._sides.reference)]
        if min(map(len, sides)) < _FEWEST:
            return None
        new, reference = (
            intervals.share(sum(any(defects_of(sample).values()) for sample in side), len(side))
            for side in sides
        )
        return intervals.share_difference(new, reference)


def numbers_of(evidence: Evidence) -> Mapping[str, float]:
    """Return what is known as numbers by name."""
    named = {
        "loss": evidence.loss, "feedback": evidence.feedback, "lesson": evidence.lesson,
        "extra_lesson": evidence.extra_lesson, "concept": evidence.concept, "defects": evidence.defects,
        "changing_answers": evidence.changing_answers,
    }  # fmt: skip
    numbers = {"reference_loss": evidence.reference_loss}
    for name, found in named.items():
        if found is not None:
            numbers |= found.numbers(name)
    return numbers


def _drawn(conversations: Sequence[StoredConversation], seed: int) -> list[StoredConversation]:
    """Draw conversations, one a user, in random order; the same arguments give the same draw."""
    singles = [
        conversation
        for conversation, rank in zip(conversations, ranks(samples_of(conversations)), strict=True)
        if rank == 0
    ]
    return random.Random(seed).sample(singles, min(_SAMPLE, len(singles)))  # noqa: S311 - not a secret


def _alternately(
    new: Sequence[StoredConversation], reference: Sequence[StoredConversation]
) -> Iterable[StoredConversation]:
    """Both sides in turn, so that whenever time runs out either has its share."""
    return (
        conversation
        for both in zip_longest(new, reference)
        for conversation in both
        if conversation is not None
    )


def _distinct(conversations: Iterable[StoredConversation]) -> list[StoredConversation]:
    return list({conversation.seq: conversation for conversation in conversations}.values())


def _losses(new: Sequence[ScoredConversation], reference: Sequence[ScoredConversation]) -> "_Losses":
    """Return what losses say, in nats per token. As many of the reference teach as of the new ones."""
    tokens = [len(each.tokens) for each in new]
    lessons, taught = learnable_losses(new), learnable_losses(new, reference[: len(new) - 1])
    before = _per_token(reference)
    return {
        "loss": intervals.difference(_per_token(new), before),
        "reference_loss": float(before.mean()),
        "lesson": intervals.mean(intervals.per_unit(lessons, tokens)),
        "extra_lesson": intervals.mean(intervals.per_unit(lessons - taught, tokens)),
    }


def _per_token(scored: Sequence[ScoredConversation]) -> NDArray[np.float64]:
    return intervals.per_unit([sum(each.nats) for each in scored], [len(each.tokens) for each in scored])
