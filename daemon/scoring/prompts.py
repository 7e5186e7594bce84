"""Translates stored conversations into what the scorer takes: conversations to score, and prompts to answer. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from daemon.domain.conversation import Message
from daemon.domain.message_json import message_documents
from daemon.domain.records import StoredConversation
from learners.codec import MESSAGES, read
from learners.types import Conversation
from learners.types import Message as LearnersMessage


def scored_conversation(conversation: StoredConversation) -> Conversation:
    """Return a conversation whose new answers are scored, after all that came before them. Its id is the seq."""
    history = [replace(past.message, learned=False) for past in conversation.history]
    return _conversation(conversation, [*history, *conversation.messages])


def prompt_of(conversation: StoredConversation, index: int) -> Conversation:
    """Return what the answer at ``index`` of the conversation's own messages answered: all that came before it.

    The conversation must come with its history. The prompt's id is the seq.
    """
    history = [past.message for past in conversation.history]
    return _conversation(conversation, [*history, *conversation.messages[:index]])


def learners_messages(messages: Sequence[Message]) -> tuple[LearnersMessage, ...]:
    """Return messages as learners take them."""
    turns: list[LearnersMessage] = read(MESSAGES, message_documents(messages))
    return tuple(turns)


def _conversation(conversation: StoredConversation, messages: Sequence[Message]) -> Conversation:
    return Conversation(
        id=str(conversation.seq),
        messages=learners_messages(messages),
        tools=conversation.tools,
        documents=conversation.documents,
    )
