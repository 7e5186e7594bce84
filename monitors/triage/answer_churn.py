"""Finds questions that are asked again and answered otherwise: facts that change, which no weights can keep up with."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from monitors.texts import words
from monitors.triage.intervals import Interval, share
from monitors.types import Sample

#: Amounts, dates, times, versions: digits with what joins them.
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_LIST_MARK = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
_SHORT = 10  # bytes: "why?" asks something else every time
_COMPARED = 50  # answers to one question that are compared with each other
_ALIKE = 0.5  # share of the words of two answers that both have
_EXAMPLES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerChurn:
    """How common it is that the same question gets other figures."""

    share: Interval  # of the users, who asked such a question
    examples: tuple[str, ...]  # ids of conversations


def answer_churn(samples: Sequence[Sample]) -> AnswerChurn:
    """Look for it among conversations.

    Only what a conversation begins with is compared, as a later question means what its context makes of it. Questions
    are the same if they are equal but for case, spaces and punctuation. Two answers differ if they are alike in words
    and each names a figure that the other does not.
    """
    asked: dict[str, list[_Answer]] = {}
    for number, sample in enumerate(samples):
        question, answer = _opening(number, sample)
        if answer is not None and answer.figures and len(question.encode()) >= _SHORT:
            asked.setdefault(question, []).append(answer)
    changing = sorted({answer.number for answers in asked.values() if _differ(answers) for answer in answers})
    users = {samples[number].group for number in changing}
    return AnswerChurn(
        share=share(len(users), max(1, len({sample.group for sample in samples}))),
        examples=tuple(samples[number].id for number in changing[:_EXAMPLES]),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What an answer says."""

    number: int  # of the conversation
    words: frozenset[str]
    figures: frozenset[str]


def _opening(number: int, sample: Sample) -> tuple[str, _Answer | None]:
    """Return the first question, and its answer if one follows."""
    for said, answered in pairwise(sample.turns):
        if said.role == "user":
            told = unicodedata.normalize("NFKC", answered.content)
            answer = _Answer(
                number=number,
                words=frozenset(words(told)),
                figures=frozenset(_NUMBER.findall(_LIST_MARK.sub("", told))),
            )
            question = " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", said.content).lower()))
            return question, answer if answered.role == "assistant" else None
    return "", None


def _differ(answers: Sequence[_Answer]) -> bool:
    """Whether two conversations got different figures."""
    return any(
        not (a.figures <= b.figures or b.figures <= a.figures) and _alike(a.words, b.words)
        for a, b in combinations(answers[:_COMPARED], 2)
    )


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two answers share most of their words; free text has figures that nobody asked for."""
    return len(one & other) >= _ALIKE * len(one | other)
