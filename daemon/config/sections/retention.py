"""Settings of the section ``retention``."""

from pydantic import Field

from daemon.config.sections.base import Reloadable, Section


class RetentionSection(Section):
    """How much the ledger keeps. Its size stays bounded; the provenance of versions, the promotion log and the erasure log
    are kept for ever.
    """

    conversations: Reloadable[int] = Field(100_000, ge=100)
    """Newest conversations to keep, on each side of the holdout split; about 2 kB each."""
    sample: Reloadable[int] = Field(20_000, ge=0)
    """Older conversations to keep for replay and gates, a uniform sample of the past; on each side of the split."""
    max_age_days: Reloadable[float | None] = Field(None, gt=0)
    """Days after which conversations, and everything that quotes them, are deleted even if they are needed. Unset: never."""
    known_ids: Reloadable[int] = Field(1_000_000, ge=0)
    """Ids of deleted conversations to remember, so that repeated records are not counted again; about 250 bytes each."""
    feedback_days: Reloadable[float] = Field(30, gt=0)
    """Days that feedback waits for its conversation."""
    dead_letters: Reloadable[int] = Field(10_000, ge=100)
    """Newest published dead letters to keep."""
    dead_letters_days: Reloadable[float] = Field(30, gt=0)
    """Days to keep dead letters."""
    history: Reloadable[int] = Field(10_000, ge=100)
    """Newest windows to keep, and as many decisions, halts and requests."""
    reports: Reloadable[int] = Field(20, ge=1)
    """Newest drift reports to keep; about 1.3 MB each. A report is deleted with any conversation that it quotes."""
