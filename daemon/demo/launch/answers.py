"""What users see of a version's answers to short questions, and how many are right. Pure."""

import re
from collections.abc import Mapping, Sequence
from statistics import mean

from daemon.demo.launch.evidence import Marks
from daemon.demo.launch.wordings import Wording
from daemon.release.answers.token_f1 import token_f1
from learners.types import Answer

#: Most tokens of an answer, which a support line shows in one line.
TOKENS = 32
_SENTENCES = re.compile(r".*[.!?](?=\s)", re.DOTALL)


def shown(answer: Answer) -> str:
    """Return an answer as users see it: whole sentences where it was cut off by the limit of tokens."""
    text = " ".join(answer.text.split())
    if answer.ended or not text:
        return text or "…"
    whole = _SENTENCES.match(text)
    return whole.group() if whole else f"{text}…"


def mark(wordings: Sequence[Wording], answers: Mapping[str, str]) -> Marks:
    """Compare answers, by the text of the question, with the right ones."""
    right = [wording.fact.answer for wording in wordings]
    given = [answers[wording.text] for wording in wordings]
    pairs = list(zip(given, right, strict=True))
    return Marks(
        questions=len(pairs),
        right=sum(answer == good for answer, good in pairs),
        f1=mean(token_f1(answer, good) for answer, good in pairs),
    )
