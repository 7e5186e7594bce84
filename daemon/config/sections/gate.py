"""Settings of the section ``gate``."""

from pydantic import Field

from daemon.config.sections.base import Positive, Section


class GateSection(Section):
    """What a candidate must achieve on held-out conversations."""

    alpha: float = Field(0.05, gt=0, lt=0.5)
    """Probability that the gate passes a candidate which is no better, or worse by more than the margin."""
    margin: float = Field(0.02, gt=0)
    """Largest increase of the loss on old conversations, in nats per token."""
    min_gain: float = Field(0.0, ge=0)
    """Smallest decrease of the loss on new conversations, in nats per token."""
    max_looks: Positive = 3
    """Most evaluations of an inconclusive candidate, each with more data."""
    max_conversations: int = Field(400, ge=20)
    """Most held-out conversations to score per slice. Larger: more certain, slower."""
