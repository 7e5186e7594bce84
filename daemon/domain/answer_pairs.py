"""Answers of two versions to one prompt, as a person compares them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerPair:
    """What the live version and a candidate answered to one prompt. Texts are redacted, as all that the ledger holds."""

    question: str  # the prompt's last question
    good: str | None  # a good answer that is known; None: there is none, as for prompts of our own
    live: str
    candidate: str
    live_failed: tuple[str, ...] = ()  # names of the checks that the answer failed
    candidate_failed: tuple[str, ...] = ()
    live_f1: float | None = None  # token F1 against the good answer, 0 to 1; None without one
    candidate_f1: float | None = None


def worst_typical_best(pairs: Sequence[AnswerPair]) -> list[AnswerPair]:
    """Return the pairs in which the candidate compares worst, in the middle and best; all where there are three or fewer.

    They are compared by the checks failed, then by token F1. One from each end keeps a reader from judging a version by
    its best answers, or by its worst.
    """
    ordered = sorted(pairs, key=_gain)
    if len(ordered) <= 3:
        return ordered
    return [ordered[0], ordered[len(ordered) // 2], ordered[-1]]


def _gain(pair: AnswerPair) -> tuple[int, float]:
    fewer_failed = len(pair.live_failed) - len(pair.candidate_failed)
    return fewer_failed, (pair.candidate_f1 or 0.0) - (pair.live_f1 or 0.0)
