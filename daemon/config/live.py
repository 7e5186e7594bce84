"""Holds the settings of a running daemon, of which some change while it runs."""

from daemon.config.settings import Settings


class LiveSettings:
    """The settings in effect. Whatever may be reloaded is read from ``current`` each time it is needed.

    ``current`` is immutable and replaced as a whole, so a thread that keeps what it read sees no mixture.
    """

    def __init__(self, settings: Settings) -> None:
        self._current = settings

    @property
    def current(self) -> Settings:
        return self._current

    def replace(self, settings: Settings) -> None:
        """Use these settings from now on."""
        self._current = settings
