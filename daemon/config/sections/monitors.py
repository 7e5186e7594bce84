"""Settings of the section ``monitors``."""

from typing import Annotated

from pydantic import Field

from daemon.config.sections.base import Section


class EmbeddingSection(Section):
    """An optional embedding model for user messages, such as one of sentence-transformers."""

    model: str | None = Field(None, min_length=1)
    """Folder with a tokenizer.json and safetensors weights, or a hub name that is already in the local cache. Unset: no
    embedding."""
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$")
    """Device of the embedding model: auto (a GPU if there is one), cpu, cuda or cuda:N."""
    max_tokens: int = Field(256, ge=16)
    """Most tokens to read of a conversation, within the model's own limit. Larger: slower."""
    batch: int = Field(32, ge=1)
    """Conversations per batch. Larger: faster on a GPU, more memory."""


class MonitorsSection(Section):
    """Drift detection."""

    conversations_between_false_alarms: int = Field(20_000, ge=100)
    """Mean number of conversations between false alarms: the one number to choose. Larger: fewer false alarms, later
    detection."""
    confirmation_level: float = Field(0.05, gt=0, lt=1)
    """Probability that up to three new windows confirm a false alarm. Smaller: weak changes stay unconfirmed."""
    label_fields: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = Field((), max_length=8)
    """Metadata fields that hold labels, such as [intent]. A change in the distribution of labels counts as drift."""
    loss_share: float = Field(0.05, ge=0, le=1)
    """Share of conversations to score under the live version, which detects a change in the right answers. Larger: sooner
    detection, more work for the scorer. 0: none, and the detector ignores the loss."""
    feedback_wait_h: float = Field(24, gt=0, le=8_760)
    """Hours to wait for feedback before a conversation counts as having none. Larger: later detection of a change in the
    rate of feedback."""
    embedding: EmbeddingSection = EmbeddingSection()
    """Embedding model, which helps where users word the same request in many ways."""
    seed: int = 0
    """Seed of the detector's random draws and permutations."""
