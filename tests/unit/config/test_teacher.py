"""Settings of the section ``teacher``."""

from typing import Any

import pytest
from pydantic import ValidationError

from daemon.config.sections.teacher import TeacherSection

COMPLETE: dict[str, Any] = {"url": "https://api.example.com/v1", "model": "large"}


def test_no_teacher_is_needed() -> None:
    assert TeacherSection().url is None


@pytest.mark.parametrize(
    "fields",
    [
        COMPLETE,
        {**COMPLETE, "url": "http://127.0.0.1:8000/v1"},
        {**COMPLETE, "url": "http://[::1]:8000"},
        {**COMPLETE, "url": "http://localhost:8000/v1/"},
        {**COMPLETE, "url": "http://gpu.internal:8000/v1", "allow_http": True},
        {**COMPLETE, "money_a_day": 2, "price_per_million_output_tokens": 0.6},
        {"calls_a_day": 10},
    ],
)
def test_what_can_be_asked_is_accepted(fields: dict[str, Any]) -> None:
    TeacherSection(**fields)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"model": "large"}, "set url, or leave the other fields out"),
        ({"url": "https://api.example.com/v1"}, "name the model"),
        ({**COMPLETE, "url": "api.example.com"}, "must be a URL such as https://api.example.com/v1"),
        ({**COMPLETE, "url": "ftp://api.example.com"}, "must be a URL such as"),
        ({**COMPLETE, "url": "https://api.example.com:port"}, "is not a URL"),
        ({**COMPLETE, "url": "https://api.example.com/v1?key=s3cret"}, "must be a URL such as"),
        ({**COMPLETE, "url": "https://me:s3cret@api.example.com/v1"}, "use api_key_file"),
        ({**COMPLETE, "url": "https://api.example.com/v1/chat/completions"}, "the base URL"),
        ({**COMPLETE, "url": "http://api.example.com/v1"}, "must be https"),
        ({**COMPLETE, "money_a_day": 2}, "needs price_per_million_input_tokens"),
    ],
)
def test_what_cannot_be_asked_is_a_mistake(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem) as mistake:
        TeacherSection(**fields)

    assert "s3cret" not in str(mistake.value.errors(include_input=False))


@pytest.mark.parametrize(
    "wrong",
    [{"api_key": "k"}, {"timeout_s": 0}, {"calls_a_day": 0}, {"money_a_day": 0}, {"concurrency": 0}, {"max_tokens": 0}],
)  # fmt: skip
def test_values_out_of_range_and_keys_in_the_file_are_mistakes(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TeacherSection(**COMPLETE, **wrong)
