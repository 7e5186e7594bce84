"""Settings of the section ``intake``."""

from typing import Literal

from pydantic import Field, model_validator

from daemon.config.mistakes import Disagreement, Problem
from daemon.config.sections.base import Section


class FieldsSection(Section):
    """Where a log of your own has its fields: paths of keys and list positions, such as payload.turns or 0.text."""

    turns: str | None = Field(None, min_length=1)
    """List of the turns. Set it, or question and answer."""
    role: str = Field("role", min_length=1)
    """Who speaks, within a turn."""
    content: str = Field("content", min_length=1)
    """What is said, within a turn."""
    roles: dict[str, Literal["system", "user", "assistant", "tool"]] = Field({})
    """Names of roles that your log uses, such as customer: user. The usual names are known."""
    question: str | None = Field(None, min_length=1)
    """What the user said, in logs with one question and one answer a record."""
    answer: str | None = Field(None, min_length=1)
    """What the model answered, in logs with one question and one answer a record."""
    system: str | None = Field(None, min_length=1)
    """The system prompt."""
    id: str | None = Field(None, min_length=1)
    """Id of the answer or of the conversation; by default the digest of the record."""
    time: str | None = Field(None, min_length=1)
    """When the answer was given; by default the time at which Kafka got the record."""
    user: str | None = Field(None, min_length=1)
    """Id of the user."""
    session: str | None = Field(None, min_length=1)
    """Id of the chat that the conversation continues."""
    model: str | None = Field(None, min_length=1)
    """Version of the model that answered."""
    tools: str | None = Field(None, min_length=1)
    """Definitions of the tools that the model was offered."""
    feedback: str | None = Field(None, min_length=1)
    """The user's opinion: an object with thumb, rating or correction."""
    metadata: dict[str, str] = Field({})
    """Further fields to keep, by their name in the metadata, such as tenant: payload.customer.tenant. All fields at the
    top of a record are kept anyway."""

    @property
    def are_named(self) -> bool:
        """Whether the settings say where the turns are."""
        return self.turns is not None or self.question is not None

    @model_validator(mode="after")
    def _finds_turns(self) -> "FieldsSection":
        if (self.question is None) != (self.answer is None):
            raise Disagreement([Problem("question and answer need each other", ("question", "answer"))])
        changed = any(getattr(self, name) != field.default for name, field in type(self).model_fields.items())
        if changed and not self.are_named:
            raise Disagreement([Problem("turns must say where they are, or question and answer", ("turns",))])
        return self


class IntakeSection(Section):
    """How records are read."""

    media: Literal["placeholder", "drop"] = "placeholder"
    """What images, audio and files become, as only text is learned. placeholder: the text keeps [image], [audio], [video]
    or [file] in their place; an answer that consists of them is never a target. drop: the conversation is passed over and
    counted."""
    fields: FieldsSection = FieldsSection()
    """Where a log of your own has its fields. Nothing set: records are of the known formats."""
