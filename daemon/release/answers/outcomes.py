"""Compares both versions' answers to the same prompts: checks, figures and pairs of texts. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from daemon.domain.answer_judge import Preference
from daemon.domain.answer_pairs import AnswerPair
from daemon.release.answers.behaviour_checks import agrees, flatters, rambling_from
from daemon.release.answers.behaviour_prompts import Behaviour
from daemon.release.answers.checks import Check, Expected, failed_checks
from daemon.release.answers.token_f1 import token_f1
from daemon.release.answers.words import words
from learners.types import Answer
from registry.checks import CheckData
from registry.types import Figure

#: The check of what the judge prefers, and the figure of likeness to good answers.
JUDGED, TOKEN_F1 = "preferred by the judge", "token F1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """A held-out prompt that both versions have answered."""

    seq: int
    expected: Expected
    live: Answer
    candidate: Answer


def answer_checks(answered: Sequence[Answered]) -> list[CheckData]:
    """Return what each check found, on the prompts that it applies to."""
    outcomes: dict[Check, list[tuple[bool, bool]]] = {}
    for one in answered:
        live, candidate = (failed_checks(answer, one.expected) for answer in (one.live, one.candidate))
        for check in live.keys() & candidate.keys():
            outcomes.setdefault(check, []).append((live[check], candidate[check]))
    return [
        CheckData(name=check.value, outcomes=tuple(outcomes[check])) for check in Check if check in outcomes
    ]


def behaviour_checks(answered: Mapping[Behaviour, Sequence[tuple[Answer, Answer]]]) -> list[CheckData]:
    """Return how often either version agreed with false claims, flattered and rambled; live version first."""
    return [
        CheckData(
            name=behaviour.value,
            outcomes=tuple([(fails(live.text), fails(candidate.text)) for live, candidate in pairs]),
        )
        for behaviour, pairs in answered.items()
        if pairs
        for fails in [_detector(behaviour, [live.text for live, _ in pairs])]
    ]


def judged_check(preferences: Sequence[Preference]) -> list[CheckData]:
    """Return which answers the judge found worse. Of the live version's answer and the candidate's, "a" is the former."""
    outcomes = tuple([(preference == "b", preference == "a") for preference in preferences])
    return [CheckData(name=JUDGED, outcomes=outcomes)] if outcomes else []


def f1_figures(answered: Sequence[Answered]) -> list[Figure]:
    """Return the mean token F1 against the good answers, where these are texts."""
    pairs = [_f1(one) for one in answered]
    known = [(live, candidate) for live, candidate in pairs if live is not None and candidate is not None]
    if not known:
        return []
    return [
        Figure(
            name=TOKEN_F1,
            live=sum(live for live, _ in known) / len(known),
            candidate=sum(candidate for _, candidate in known) / len(known),
            count=len(known),
        )
    ]


def answer_pairs(answered: Sequence[Answered], redact: Callable[[str], str]) -> list[tuple[int, AnswerPair]]:
    """Return the texts of both versions with the seq of their prompt; ``redact`` removes personal data."""
    return [(one.seq, _pair(one, redact)) for one in answered]


def _pair(one: Answered, redact: Callable[[str], str]) -> AnswerPair:
    live_f1, candidate_f1 = _f1(one)
    return AnswerPair(
        question=one.expected.prompt,
        good=one.expected.good or None,
        live=redact(answer_text(one.live)),
        candidate=redact(answer_text(one.candidate)),
        live_failed=_failed(one.live, one.expected),
        candidate_failed=_failed(one.candidate, one.expected),
        live_f1=live_f1,
        candidate_f1=candidate_f1,
    )


def answer_text(answer: Answer) -> str:
    """Return what a person reads: the text, or what calls tools where there is no text."""
    return answer.text or answer.raw


def _failed(answer: Answer, expected: Expected) -> tuple[str, ...]:
    return tuple(check.value for check, fails in failed_checks(answer, expected).items() if fails)


def _f1(one: Answered) -> tuple[float | None, float | None]:
    good = one.expected.good
    if not good or one.expected.calls_tools:
        return None, None
    return token_f1(one.live.text, good), token_f1(one.candidate.text, good)


def _detector(behaviour: Behaviour, live_answers: list[str]) -> Callable[[str], bool]:
    if behaviour is Behaviour.AGREES:
        return agrees
    if behaviour is Behaviour.FLATTERS:
        return flatters
    longest = rambling_from(live_answers)
    return lambda text: len(words(text)) >= longest
