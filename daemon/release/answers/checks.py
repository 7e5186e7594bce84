"""Exact checks of one answer to a held-out prompt. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from daemon.release.answers.json_answers import asks_for_json, is_json
from daemon.release.answers.languages import language
from daemon.release.answers.refusals import refuses
from daemon.release.answers.repetition import repeats_itself
from daemon.release.answers.tool_calls import calls_are_valid, written_calls
from daemon.release.answers.words import words
from learners.types import Answer

#: An answer may differ by so many words from a good one before its length is compared.
_FREE_WORDS = 50
#: How many times as long as a good answer one may be, or as short.
_TIMES = 3


class Check(StrEnum):
    """What is checked of an answer; names checks in reports and labels metrics."""

    ENDS = "ends by itself"
    NOT_EMPTY = "not empty"
    NO_REPETITION = "no repetition"
    LANGUAGE = "right language"
    NO_REFUSAL = "no refusal"
    JSON = "valid JSON"
    TOOL_CALLS = "valid tool calls"
    LENGTH = "length"


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What is known of a prompt that both versions answer."""

    prompt: str  # what the user said last
    good: str  # the good answer
    calls_tools: bool = False  # whether the good answer calls tools
    tools: Sequence[Mapping[str, Any]] = ()  # offered, as OpenAI's function definitions


def failed_checks(answer: Answer, expected: Expected) -> dict[Check, bool]:
    """Return whether an answer fails each check that applies to its prompt."""
    found = {check: fails(answer, expected) for check, fails in _CHECKS.items()}
    return {check: fails for check, fails in found.items() if fails is not None}


def _does_not_end(answer: Answer, _: Expected) -> bool | None:
    return not answer.ended


def _is_empty(answer: Answer, _: Expected) -> bool | None:
    return not answer.text.strip() and not written_calls(answer.raw)


def _repeats(answer: Answer, _: Expected) -> bool | None:
    return repeats_itself(answer.text)


def _in_another_language(answer: Answer, expected: Expected) -> bool | None:
    wanted = language(expected.good) or language(expected.prompt)
    if wanted is None:
        return None
    return language(answer.text) not in (None, wanted)


def _refuses(answer: Answer, expected: Expected) -> bool | None:
    return None if refuses(expected.good) else refuses(answer.text)


def _is_no_json(answer: Answer, expected: Expected) -> bool | None:
    if expected.calls_tools or not (is_json(expected.good) or asks_for_json(expected.prompt)):
        return None
    return not is_json(answer.text)


def _calls_wrongly(answer: Answer, expected: Expected) -> bool | None:
    return not calls_are_valid(written_calls(answer.raw), expected.tools) if expected.calls_tools else None


def _is_too_long_or_short(answer: Answer, expected: Expected) -> bool | None:
    if expected.calls_tools:
        return None
    length, good = len(words(answer.text)), len(words(expected.good))
    too_short = answer.ended and good > _FREE_WORDS and length * _TIMES < good
    return too_short or length > _FREE_WORDS + _TIMES * good


_CHECKS: Mapping[Check, Callable[[Answer, Expected], bool | None]] = {
    Check.ENDS: _does_not_end,
    Check.NOT_EMPTY: _is_empty,
    Check.NO_REPETITION: _repeats,
    Check.LANGUAGE: _in_another_language,
    Check.NO_REFUSAL: _refuses,
    Check.JSON: _is_no_json,
    Check.TOOL_CALLS: _calls_wrongly,
    Check.LENGTH: _is_too_long_or_short,
}
