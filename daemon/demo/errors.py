"""Errors of the demo; each message says what to do next."""

from daemon.domain.errors import DaemonError, Misuse


class DemoError(DaemonError):
    """Root of all errors of the demo."""


class BadOptions(DemoError, Misuse):
    """The options contradict each other, or name something that does not exist."""


class NotEnoughConversations(DemoError):
    """There are too few conversations to detect drift and to train."""


class StartFailed(DemoError):
    """A part of the demo did not start."""


class DaemonEnded(DemoError):
    """The daemon ended unexpectedly."""


class OutOfTime(DemoError):
    """An expected event did not happen in time."""
