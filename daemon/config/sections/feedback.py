"""Settings of the section ``feedback``."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from daemon.config.sections.base import Section

_Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(max_length=16)]


class FeedbackFieldsSection(Section):
    """Names of the fields of feedback."""

    thumb: _Names = ("thumb", "thumbs", "like", "liked", "helpful", "vote", "reaction")
    """Fields with a yes or no: a boolean, 1 or -1, or a word such as up, dislike or 👍."""
    rating: _Names = ("rating", "stars", "score", "value")
    """Fields with a number of the scale, or a word."""
    correction: _Names = ("correction", "corrected_answer")
    """Fields with what the assistant should have said."""


class FeedbackSection(Section):
    """How users' opinions are read. What can't be read is counted, and costs its conversation nothing."""

    scale: Annotated[tuple[float, ...], Field(min_length=2, max_length=2)] | None = None
    """The worst and the best rating of your producers: [-1, 1] for Open WebUI, [1, 10], [0, 100], or [6, 1] where smaller
    is better. Unset: rating and stars go from 1 to 5, and numbers elsewhere are not read. A number beyond the scale is
    never read."""
    words: dict[str, Literal["up", "down"]] = Field({})
    """Further words that mean up or down, such as {top: up, flop: down}. Upper and lower case are the same."""
    names: tuple[str, ...] | None = None
    """Names of the scores that users give, where a log has scores of several kinds (Langfuse, OpenTelemetry, MLflow,
    LangSmith). Unset: all that no program or model gave."""
    fields: FeedbackFieldsSection = FeedbackFieldsSection()
    """Names of the fields of feedback. The first of each list that is there counts."""

    @field_validator("scale")
    @classmethod
    def _has_two_ends(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and value[0] == value[1]:
            raise ValueError("the worst and the best rating must differ")
        return value
