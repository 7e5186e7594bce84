"""Settings of the section ``release``."""

from pydantic import Field

from daemon.config.sections.base import Reloadable, Section


class ReleaseSection(Section):
    """What happens to a candidate that passed the gate."""

    automatic: Reloadable[bool] = True
    """Promote it automatically. false: wait for `retuned promote`."""
    keep_loaded: int = Field(2, ge=1)
    """Versions that the scorer keeps in memory, including the live one."""
