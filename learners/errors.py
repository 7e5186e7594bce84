"""Errors of learners. A ``permanent`` error recurs with the same request."""


class LearnerError(Exception):
    """Root of all errors of learners."""

    permanent = True


class Diverged(LearnerError):
    """The loss stopped being finite. Training again with the same request will not help."""


class BadRequest(LearnerError):
    """The request names something that is missing, malformed or not allowed."""


class OtherBase(BadRequest):
    """The base model's folder holds another model than the request names."""


class Unlearnable(LearnerError):
    """The training set can't be learned, or not as it should be. Training again on the same data will not help."""


class NoTargets(Unlearnable):
    """The training set has nothing to learn; no step was taken."""


class TooManySkipped(Unlearnable):
    """More of the training set can't be learned than may be skipped; no step was taken."""


class AnswersCut(Unlearnable):
    """Most answers of the training set are cut off before their end; no step was taken."""


class EndNotLearned(Unlearnable):
    """No answer's end is among the targets: the model would learn never to stop; no step was taken."""


class NoPairs(Unlearnable):
    """The method learns from pairs of answers, and the training set has none; no step was taken."""


class OneSided(Unlearnable):
    """The method learns from desirable and undesirable answers, and the training set has one kind; no step was taken."""


class NothingChanged(Unlearnable):
    """The training changed nothing that the model computes; no artifact was written."""


class UnusableModel(LearnerError):
    """The base model, its tokenizer or its chat template can't be used for training or scoring."""


class BadAdapter(LearnerError):
    """An adapter's files are not what its base model and settings require; nothing was loaded."""


class Cancelled(LearnerError):
    """The training was cancelled and left no artifact."""

    permanent = False


class PeersLost(LearnerError):
    """A process that trains together with this one ended, or can't be reached."""

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
