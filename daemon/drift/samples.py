"""Shows the ledger's conversations to the monitors."""

from collections.abc import Iterable

from daemon.domain.records import StoredConversation
from monitors.texts import user_text
from monitors.types import Sample, Turn

_EMBEDDED_CHARACTERS = 8_000  # of what a user says: more than a model reads


def sample_of(stored: StoredConversation, embedding: bytes | None = None) -> Sample:
    """Return a conversation as monitors see it, with the vector of what the user said where there is one."""
    return Sample(
        id=stored.conversation_id,
        group=stored.group,
        at=stored.at,
        turns=tuple(Turn(role=message.role, content=message.content) for message in stored.messages),
        feedback=stored.feedback,
        version=stored.version,
        labels=stored.labels,
        embedding=embedding,
    )


def samples_of(stored: Iterable[StoredConversation]) -> tuple[Sample, ...]:
    """Return conversations as monitors see them."""
    return tuple(sample_of(conversation) for conversation in stored)


def embedded_text(sample: Sample) -> str:
    """Return what an embedding model gets to read of a conversation."""
    return user_text(sample)[:_EMBEDDED_CHARACTERS]
