"""Errors of learners. A ``permanent`` error recurs with the same request."""


class LearnerError(Exception):
    """Root of all errors of learners."""

    permanent = True


class Diverged(LearnerError):
    """The loss stopped being finite. Training again with the same request will not help."""


class BadRequest(LearnerError):
    """The request names something that is missing, malformed or not allowed."""


class UnusableModel(LearnerError):
    """The base model, its tokenizer or its chat template can't be used for training or scoring."""


class BadAdapter(LearnerError):
    """An adapter's files are not what its base model and settings require; nothing was loaded."""


class Cancelled(LearnerError):
    """The training was cancelled and left no artifact."""

    permanent = False


class UnknownAdapter(LearnerError):
    """No adapter of that name is loaded; load it first."""


class NameTaken(LearnerError):
    """Another adapter was loaded under that name; names are never used twice."""


class ChildDied(LearnerError):
    """A child process ended without an answer (killed, out of memory, crashed)."""

    permanent = False


class ChildTrouble(LearnerError):
    """A child process failed for a reason that is not the request's, such as too little memory."""

    permanent = False


def error_named(name: str, message: str) -> LearnerError:
    """Return the error that a child process reported. An unknown name becomes part of the message."""
    kind = globals().get(name)
    if isinstance(kind, type) and issubclass(kind, LearnerError):
        return kind(message)
    return ChildTrouble(f"{name}: {message}")
