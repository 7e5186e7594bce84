"""Encodes the lines of a training set as a method learns them: answers to imitate, and answers to avoid."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from learners.encoding.chat import ChatEncoder, EncodedConversation
from learners.encoding.rows import Encoded
from learners.types import Conversation, Teaching

#: Why a line teaches a method nothing, besides the reasons of its rows.
NOT_TAUGHT = "an answer to avoid, which the method does not learn from"
SAME = "the worse answer is the better one"


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedLesson:
    """A line of a training set as a method learns it."""

    id: str
    weight: float
    imitated: tuple[Encoded, ...] = ()  # of a pair one, with the better answer
    avoided: tuple[Encoded, ...] = ()  # at most one
    #: Reason -> answers that may be learned but are in no row. Reasons are a few fixed texts.
    left_out: Mapping[str, int]
    unlearned: str | None = None  # why there is nothing to learn, where the rows don't say

    @property
    def rows(self) -> tuple[Encoded, ...]:
        return (*self.imitated, *self.avoided)

    @property
    def is_pair(self) -> bool:
        return bool(self.imitated and self.avoided)

    @property
    def skipped(self) -> str | None:
        """Why there is nothing to learn; None if there is something."""
        if self.rows:
            return None
        reasons = self.left_out
        return self.unlearned or max(reasons, key=lambda reason: reasons[reason], default="no assistant turn")


def encode_lesson(
    encoder: ChatEncoder,
    conversation: Conversation,
    *,
    learns: Collection[Teaching],
    compares: bool,
    max_tokens: int,
) -> EncodedLesson:
    """Return what a method learns from a line. ``learns`` are the lessons that it takes.

    One that ``compares`` learns the worse answer of a pair, too. Where only one of the two can be learned, the line teaches
    that one, and the other is counted as left out.
    """
    if conversation.lesson not in learns:
        return EncodedLesson(
            id=conversation.id, weight=conversation.weight, left_out={}, unlearned=NOT_TAUGHT
        )
    if conversation.lesson == "prefer" and compares:
        better, worse = encoder.encode_pair(conversation, max_tokens=max_tokens)
        return _pair(conversation, better, worse, avoids="avoid" in learns)
    encoded = encoder.encode(conversation, max_tokens=max_tokens)
    avoided = conversation.lesson == "avoid"
    return EncodedLesson(
        id=conversation.id,
        weight=conversation.weight,
        imitated=() if avoided else encoded.rows,
        avoided=encoded.rows if avoided else (),
        left_out=encoded.left_out,
    )


def _pair(
    conversation: Conversation, better: EncodedConversation, worse: EncodedConversation, *, avoids: bool
) -> EncodedLesson:
    left_out = Counter(better.left_out)
    left_out.update({f"worse answer of a pair: {reason}": count for reason, count in worse.left_out.items()})
    avoided = worse.rows
    if better.rows and avoided and better.rows[0].ids == avoided[0].ids:
        left_out[SAME] += 1
        avoided = ()
    if not better.rows and not avoids:
        avoided = ()  # alone it teaches nothing
    return EncodedLesson(
        id=conversation.id,
        weight=conversation.weight,
        imitated=better.rows,
        avoided=avoided,
        left_out=dict(sorted(left_out.items())),
    )
