"""Why a demo could not go on; each says what to do next."""

from daemon.domain.errors import DaemonError, Misuse


class DemoError(DaemonError):
    """Root of all errors of the demo."""


class BadOptions(DemoError, Misuse):
    """The options contradict each other, or name what is not there."""


class NotEnoughConversations(DemoError):
    """The data are too few for drift to be found and learned from."""


class StartFailed(DemoError):
    """A part of the demo did not come up."""


class DaemonEnded(DemoError):
    """The daemon ended although nobody asked it to."""


class OutOfTime(DemoError):
    """Something that ought to have happened did not, in the time that was left."""
