"""Settings of the section ``holdout``."""

from pathlib import Path

from pydantic import Field

from daemon.config.sections.base import Section


class HoldoutSection(Section):
    """Conversations that are never trained on; gates evaluate versions on them."""

    share: float = Field(0.1, gt=0, lt=0.9)
    """Share of users in the holdout. Larger: gates decide sooner, with less training data."""
    key_file: Path | None = None
    """File with the key of the hash that assigns users to the holdout. Unset: created in state_dir at the first start.
    The daemon refuses a changed key, because it would move users between holdout and training."""
