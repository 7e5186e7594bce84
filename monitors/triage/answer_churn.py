"""Finds questions whose answers change over time: such facts belong into retrieval, not into weights."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from monitors.texts import words
from monitors.triage.intervals import Interval, share
from monitors.types import Sample

#: Amounts, dates, times, versions: digits with their separators.
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_LIST_MARK = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
_MIN_BYTES = 10  # of a question; a shorter one, such as "why?", depends on its context
_MAX_COMPARED = 50  # answers to one question
_MIN_SIMILARITY = 0.5  # share of the words of two answers that both have
_EXAMPLES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerChurn:
    """How common questions with changing figures are."""

    share: Interval  # of the users who asked such a question
    examples: tuple[str, ...]  # ids of conversations


def answer_churn(samples: Sequence[Sample]) -> AnswerChurn:
    """Measure among conversations how many users asked a question whose figures change.

    Only the first question of a conversation counts, as later ones depend on their context. Questions are the same if they
    are equal except for case, spaces and punctuation. Two answers differ if their words are similar and each has a figure
    that the other lacks.
    """
    asked: dict[str, list[_Answer]] = {}
    for number, sample in enumerate(samples):
        question, answer = _opening(number, sample)
        if answer is not None and answer.figures and len(question.encode()) >= _MIN_BYTES:
            asked.setdefault(question, []).append(answer)
    changing = sorted({answer.number for answers in asked.values() if _differ(answers) for answer in answers})
    users = {samples[number].group for number in changing}
    return AnswerChurn(
        share=share(len(users), max(1, len({sample.group for sample in samples}))),
        examples=tuple(samples[number].id for number in changing[:_EXAMPLES]),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """The words and figures of an answer."""

    number: int  # of the conversation
    words: frozenset[str]
    figures: frozenset[str]


def _opening(number: int, sample: Sample) -> tuple[str, _Answer | None]:
    """Return the first question, and its answer if one follows."""
    for asked, answered in pairwise(sample.turns):
        if asked.role == "user":
            text = unicodedata.normalize("NFKC", answered.content)
            answer = _Answer(
                number=number,
                words=frozenset(words(text)),
                figures=frozenset(_NUMBER.findall(_LIST_MARK.sub("", text))),
            )
            question = " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", asked.content).lower()))
            return question, answer if answered.role == "assistant" else None
    return "", None


def _differ(answers: Sequence[_Answer]) -> bool:
    """Whether two conversations got different figures."""
    return any(
        not (a.figures <= b.figures or b.figures <= a.figures) and _similar(a.words, b.words)
        for a, b in combinations(answers[:_MAX_COMPARED], 2)
    )


def _similar(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two answers share most of their words; dissimilar ones may have unrelated figures."""
    return len(one & other) >= _MIN_SIMILARITY * len(one | other)
