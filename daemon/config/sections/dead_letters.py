"""Settings of the section ``dead_letters``."""

from typing import Literal

from pydantic import Field

from daemon.config.sections.base import Section


class DeadLettersSection(Section):
    """Records that intake can't use."""

    keep: Literal["bytes", "digest"] = "bytes"
    """bytes: keep the records as they came, so that you can replay them; they may hold personal data. digest: keep only
    their SHA-256."""
    max_share: float = Field(0.5, gt=0, le=1)
    """Share of dead letters among the latest records above which intake halts, so that a bad producer can't drain the
    topic into the dead letters."""
    among: int = Field(1_000, ge=10)
    """Number of latest records for max_share. Larger: intake halts later and less often by chance."""
    max_run: int = Field(100, ge=1)
    """Dead letters in a row at which intake halts. Fewer dead letters than this never halt it."""
