"""Settings of the section ``lessons``."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from daemon.config.sections.base import Reloadable, Section

_Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=256)], ...], Field(max_length=64)]
_Weight = Annotated[float, Field(ge=0, le=100)]
_Rating = Annotated[float, Field(ge=1, le=5)]


class LessonWeightsSection(Section):
    """How much a target token counts, by the kind of its lesson. 0: that kind is not learned."""

    demonstration: _Weight = 1.0
    """An answer by a person or another model."""
    liked: _Weight = 1.0
    """An answer of the model that users liked."""
    correction: _Weight = 1.0
    """A corrected answer."""
    preference: _Weight = 1.0
    """The better of two answers."""
    teacher: _Weight = 1.0
    """A teacher's answer."""
    replay: _Weight = 1.0
    """An answer of earlier conversations, against forgetting."""


class LessonsSection(Section):
    """What an answer teaches: whether it is imitated, preferred over another, or never imitated."""

    own_names: _Names = ()
    """Names by which your producers call the model in `model_version`, besides the model line, its versions and the base
    model: an alias of the server, for example. Answers by any other name are another model's or a person's, and are imitated."""
    people: _Names = ()
    """Names of assistant turns that a person wrote in the model's place, `*` for any text: ["agent-*"]. They are imitated."""
    unnamed: Literal["imitate", "own"] = "imitate"
    """Who answered where a record has no `model_version`: `imitate`: a person or another model, `own`: the model itself, so
    that only what users liked or corrected is learned."""
    liked_from: _Rating = 4.0
    """Smallest rating, from 1 to 5, that likes an answer. A thumb up is 5. Own answers that users liked are imitated."""
    disliked_to: _Rating = 2.0
    """Largest rating that dislikes an answer. A thumb down is 1. What users disliked is never imitated."""
    liked_share: Reloadable[float] = Field(1.0, ge=0, le=1)
    """Largest share of a training set's lessons that may be own answers that users liked; 10 are always allowed. 1: no limit.
    A model that learns from little but likes of its own answers may learn to please, that is to flatter and to agree with
    what is wrong: `gate.behaviour` watches for it, a smaller share prevents it, and one user's likes are within
    `curation.user_share`."""
    weights: LessonWeightsSection = LessonWeightsSection()
    """How much lessons count in the loss."""

    @model_validator(mode="after")
    def _likes_more_than_it_dislikes(self) -> "LessonsSection":
        if self.disliked_to >= self.liked_from:
            raise ValueError("disliked_to must be below liked_from")
        return self
