"""Settings of the section ``gate``."""

from typing import Literal

from pydantic import Field

from daemon.config.sections.base import Positive, Reloadable, Section


class GateSection(Section):
    """What a candidate must achieve on held-out conversations."""

    alpha: float = Field(0.05, gt=0, lt=0.5)
    """Probability that the gate passes a candidate which is no better, or worse by more than the margin."""
    margin: Reloadable[float] = Field(0.02, gt=0)
    """Largest increase of the loss on old conversations, in nats per token."""
    min_gain: Reloadable[float] = Field(0.0, ge=0)
    """Smallest decrease of the loss on new conversations, in nats per token."""
    max_looks: Positive = 3
    """Most evaluations of an inconclusive candidate, each with more data."""
    max_conversations: int = Field(400, ge=20)
    """Most held-out conversations to score per slice. Larger: more certain, slower."""
    answers: Reloadable[int] = Field(40, ge=0, le=1_000)
    """Held-out prompts that both versions answer, to compare what they write. 0: none."""
    answer_tokens: Reloadable[int] = Field(128, ge=8, le=4_096)
    """Most tokens of such an answer. A longer one counts as one that does not end by itself."""
    answer_seconds: Reloadable[float | None] = Field(None, gt=0)
    """Most seconds that both versions take to answer; prompts that were not reached are left out. Unset: as long as scoring took."""
    behaviour: Reloadable[Literal["auto", "always", "never"]] = "auto"
    """Whether both versions also answer retuned's own prompts with false claims and invitations to flatter: what a version
    learns from users' opinions must not make it agree, flatter or ramble more. `auto`: where a version learned from opinions."""
