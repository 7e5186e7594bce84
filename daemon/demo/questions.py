"""Draws held-out questions by the seed, whatever their answers. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from daemon.domain.conversation import Conversation, Message
from daemon.domain.holdout import Holdout


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A held-out conversation up to its last answer."""

    conversation_id: str
    prompt: tuple[Message, ...]  # ends with a user's turn
    reference: str  # the answer in the data

    @property
    def text(self) -> str:
        """The last message of the user."""
        return self.prompt[-1].content


def choose_questions(
    conversations: Sequence[Conversation], holdout: Holdout, *, seed: int, count: int
) -> tuple[Question, ...]:
    """Draw ``count`` held-out conversations, or all if there are fewer."""
    held_out = [
        question
        for conversation in conversations
        if holdout.holds_out(holdout.group(conversation.user_id, conversation.conversation_id))
        and (question := _question(conversation)) is not None
    ]
    draw = random.Random(f"questions {seed}")  # noqa: S311 - not a secret
    return tuple(draw.sample(held_out, min(count, len(held_out))))


def _question(conversation: Conversation) -> Question | None:
    """Cut a conversation before its last answer; None where no user's turn precedes one."""
    for place in range(len(conversation.messages) - 1, 0, -1):
        if (
            conversation.messages[place].role == "assistant"
            and conversation.messages[place - 1].role == "user"
        ):
            return Question(
                conversation_id=conversation.conversation_id,
                prompt=conversation.messages[:place],
                reference=conversation.messages[place].content,
            )
    return None
