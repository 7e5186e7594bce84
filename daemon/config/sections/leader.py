"""Settings of the section ``leader``."""

from pydantic import Field

from daemon.config.sections.base import Section


class LeaderSection(Section):
    """Leader election. One replica decides, trains and promotes; all read the stream. Replicas share a PostgreSQL ledger."""

    lease_s: float = Field(15.0, ge=1)
    """Seconds after which another replica replaces a silent leader. Smaller: faster takeover, more false takeovers."""
