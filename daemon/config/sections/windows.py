"""Settings of the section ``windows``."""

from pydantic import Field

from daemon.config.sections.base import Section


class WindowsSection(Section):
    """Windows of conversations that the monitors judge."""

    size: int = Field(100, ge=20)
    """Conversations in a window. Larger: detects smaller changes, later."""
    max_age_s: float = Field(3_600, gt=0)
    """Seconds after which a window closes early if it has min_size conversations."""
    min_size: int = Field(50, ge=10)
    """Fewest conversations in a closed window."""
    reference_size: int = Field(500, ge=50)
    """Conversations in the reference, drawn evenly over the time that it spans."""
    reference_days: float = Field(7.0, ge=0)
    """Days that the reference spans, so that nights and weekends do not count as drift. The reference is in use from
    reference_size conversations on and widens until it spans this time. 0: it does not widen, for tests, demos and
    streams without cycles."""
