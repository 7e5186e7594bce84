"""The ledger's conversations in the form that monitors take."""

from collections.abc import Iterable

from daemon.domain.records import StoredConversation
from monitors.texts import user_text
from monitors.types import Sample, Turn

_EMBEDDED_CHARACTERS = 8_000  # more than an embedding model reads


def sample_of(stored: StoredConversation, embedding: bytes | None = None) -> Sample:
    """Return a conversation as a sample: what was said, without tools' calls and results.

    ``embedding`` is the vector of the user's text, if there is one.
    """
    return Sample(
        id=stored.conversation_id,
        group=stored.group,
        at=stored.at,
        turns=tuple(
            Turn(role=message.role, content=message.content)
            for message in stored.messages
            if message.role != "tool" and message.content
        ),
        feedback=stored.feedback,
        version=stored.version,
        labels=stored.labels,
        embedding=embedding,
    )


def samples_of(stored: Iterable[StoredConversation]) -> tuple[Sample, ...]:
    """Return conversations as samples."""
    return tuple(sample_of(conversation) for conversation in stored)


def embedded_text(sample: Sample) -> str:
    """Return the text of a conversation that is embedded: the user's turns, cut to a maximal length."""
    return user_text(sample)[:_EMBEDDED_CHARACTERS]
