"""Finds questions that are asked again and answered otherwise: facts that change, which no weights can keep up with."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from monitors.intervals import Interval, share
from monitors.types import Sample

#: Amounts, dates, times, versions: digits with what joins them.
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_LIST_MARK = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
_SHORT = 10  # bytes: "why?" asks something else every time
_COMPARED = 50  # different answers to one question that are compared with each other
_EXAMPLES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangingAnswers:
    """How common it is that the same question gets other figures."""

    share: Interval  # of the users, who asked such a question
    examples: tuple[str, ...]  # ids of conversations


def changing_answers(samples: Sequence[Sample]) -> ChangingAnswers:
    """Look for it among conversations; there is one at least.

    Questions are the same if they are equal but for case, spaces and punctuation. Two answers differ if each names a
    figure that the other does not; other words for the same figures are no difference.
    """
    asked: dict[str, list[tuple[int, frozenset[str]]]] = {}
    for number, sample in enumerate(samples):
        for question, answer in _exchanges(sample):
            if figures := _figures(answer):
                asked.setdefault(question, []).append((number, figures))
    changing = sorted({number for answers in asked.values() if _differ(answers) for number, _ in answers})
    users = {samples[number].group for number in changing}
    return ChangingAnswers(
        share=share(len(users), len({sample.group for sample in samples})),
        examples=tuple(samples[number].id for number in changing[:_EXAMPLES]),
    )


def _exchanges(sample: Sample) -> Iterator[tuple[str, str]]:
    for said, answered in pairwise(sample.turns):
        if (said.role, answered.role) == ("user", "assistant"):
            question = " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", said.content).lower()))
            if len(question.encode()) >= _SHORT:
                yield question, answered.content


def _figures(answer: str) -> frozenset[str]:
    return frozenset(_NUMBER.findall(_LIST_MARK.sub("", unicodedata.normalize("NFKC", answer))))


def _differ(answers: Sequence[tuple[int, frozenset[str]]]) -> bool:
    """Whether two conversations got different figures."""
    told = list(dict.fromkeys(answers))[:_COMPARED]
    return any(a != b and not (x <= y or y <= x) for (a, x), (b, y) in combinations(told, 2))
