"""Settings of the section ``logging``."""

from typing import Literal

from daemon.config.sections.base import Reloadable, Section


class LoggingSection(Section):
    """Logging. The text of conversations is never logged."""

    level: Reloadable[Literal["DEBUG", "INFO", "WARNING", "ERROR"]] = "INFO"
    """Lowest severity to log."""
    format: Reloadable[Literal["auto", "text", "json"]] = "auto"
    """auto: text on a terminal, else JSON lines."""
