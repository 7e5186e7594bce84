"""The exact checks on answers that people really gave, in English and Chinese. More figures are in registry/README.md."""

import pytest

from daemon.release.answers.checks import Check, Expected, failed_checks
from learners.types import Answer
from monitors.texts import reply_text, user_text
from monitors.types import Sample
from tests.factories.monitors import chit_chat, questions


def failing(samples: list[Sample]) -> dict[Check, list[str]]:
    """The answers that fail each check, measured against themselves."""
    found: dict[Check, list[str]] = {}
    for sample in samples:
        text = reply_text(sample)
        if text.strip():
            answer = Answer(id=sample.id, text=text, raw=text, ended=True, tokens=1)
            expected = Expected(prompt=user_text(sample), good=text)
            for check, fails in failed_checks(answer, expected).items():
                if fails:
                    found.setdefault(check, []).append(text)
    return found


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_answers_of_people_pass(language: str) -> None:
    samples = [sample for topic in questions(language).values() for sample in topic]

    assert len(samples) > 100
    assert failing(samples) == {}


def test_chit_chat_of_people_repeats_nothing_but_where_they_type_nonsense() -> None:
    samples = list(chit_chat())

    found = failing(samples)

    assert set(found) <= {Check.NO_REPETITION}
    assert len(found.get(Check.NO_REPETITION, [])) <= len(samples) / 500
