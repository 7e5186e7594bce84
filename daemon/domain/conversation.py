"""Decoded records: conversations, and feedback that arrives later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

JSON: TypeAlias = "str | int | float | bool | Sequence[JSON] | Mapping[str, JSON] | None"
Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
Thumb: TypeAlias = Literal["up", "down"]
OpinionKind: TypeAlias = Literal["thumb", "rating", "correction"]

#: Ratings go from 1 (worst) to 5 (best), fractions allowed.
LOWEST_RATING, HIGHEST_RATING = 1.0, 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A call of a tool, as the assistant wrote it."""

    name: str
    arguments: str  # JSON text of an object, as it was logged
    id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn. Its content is empty only where it calls tools, reasons, or where a tool returned nothing."""

    role: Role
    content: str
    reasoning: str | None = None  # of the assistant, without the marks that templates put around it
    tool_calls: tuple[ToolCall, ...] = ()  # of the assistant
    tool_call_id: str | None = None  # of a tool: the call that it answers
    name: str | None = None  # of a tool, or of one among several speakers
    #: Whether an assistant's turn may be a target; producers say no with a weight of 0.
    learned: bool = True
    #: Whether the answer ended before it was complete (length, content filter): its end is no target.
    cut_off: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Feedback:
    """A user's opinion of a conversation. At least one field is set."""

    thumb: Thumb | None = None
    rating: float | None = None  # 1 (worst) to 5 (best)
    correction: str | None = None  # what the assistant should have said

    @property
    def kind(self) -> OpinionKind:
        """The signal that the score is computed from."""
        return "rating" if self.rating is not None else "thumb" if self.thumb is not None else "correction"

    @property
    def score(self) -> float | None:
        """The opinion from -1 (worst) to 1 (best).

        The finest signal decides: the rating (3 is 0), else the thumb, else a correction, which means that the answer
        was wrong (-1).
        """
        if self.rating is not None:
            middle = (LOWEST_RATING + HIGHEST_RATING) / 2
            return (self.rating - middle) / (HIGHEST_RATING - middle)
        if self.thumb is not None:
            return 1.0 if self.thumb == "up" else -1.0
        return None if self.correction is None else -1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """Messages of one user with one model, with at least one user turn."""

    conversation_id: str
    at: datetime  # aware, UTC
    model_line: str | None = None
    model_version: str | None = None  # the version that answered, if the producer named it
    user_id: str | None = None
    session_id: str | None = None  # what the producer calls the chat, where an id names one of its answers
    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, JSON], ...] = ()  # that the request offered, as OpenAI's function definitions
    documents: tuple[Mapping[str, JSON], ...] = ()  # that the request gave the template to ground answers on
    feedback: Feedback | None = None
    rejected: Message | None = (
        None  # another answer to the last prompt that people liked less than the last one
    )
    #: The producer's own fields; not part of the conversation's identity, so neither hashed nor compared.
    metadata: Mapping[str, JSON] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedbackRecord:
    """Feedback that arrived after its conversation."""

    conversation_id: str
    at: datetime  # aware, UTC
    feedback: Feedback
    user_id: str | None = None
    model_line: str | None = None
    #: The producer's own fields, such as tenant and consent. They are not stored.
    metadata: Mapping[str, JSON] = field(default_factory=dict, compare=False)


Record: TypeAlias = Conversation | FeedbackRecord
