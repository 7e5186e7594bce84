"""Says what is to be done about a change: train, ignore it, or know that training can't help. Pure.

That a change is there says nothing yet: with enough conversations everything differs from a fixed reference. What counts
is whether the live version is worse off, or could learn something; and harmless is only what is shown to be.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from monitors.triage.intervals import Interval
from monitors.types import Aspect, Outcome

#: Loss may be higher by less than this share of the reference's before it counts as harm.
LOSS_MARGIN = 0.1
#: Nats per token that may be left to learn, and fall in feedback from -1 to 1, of a change that is called harmless.
LESSON_MARGIN = 0.1
FEEDBACK_MARGIN = 0.2
#: Share of the users whose conversations must have got defects, or changing answers, for training to be no use.
MANY = 0.1
CHANGING = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What was measured of a change, new conversations against the reference; None where there was too little.

    Losses are the live version's, in nats per token, on what others answered.
    """

    answered_itself: bool = False  # what others answered is too little for losses to tell anything, ever

    loss: Interval | None = None  # difference
    reference_loss: float = 0.0  # mean
    feedback: Interval | None = None  # difference, on a scale from -1 (worst) to 1 (best)
    lesson: Interval | None = None  # what a new conversation gains from the other new ones
    extra_lesson: Interval | None = None  # of that, what it does not gain from the reference
    concept: Interval | None = None  # difference of loss where the same was asked
    defects: Interval | None = None  # difference of the share of broken conversations
    changing_answers: Interval | None = None  # share of users who asked what gets other figures each time
    leading: Aspect | None = None  # what the detector is surest of


@dataclass(frozen=True, kw_only=True, slots=True)
class TriageResult:
    """What is to be done about a change, and why."""

    outcome: Outcome
    reason: str  # one sentence, reused as it stands wherever the outcome is told


def triage(evidence: Evidence) -> TriageResult:
    """Decide by what is surest: that training can't help, that the change hurts, that it does not."""
    for outcome, reasons in (
        (Outcome.CANT_HELP, _no_use(evidence)),
        (Outcome.TRAIN, _harm(evidence)),
        (Outcome.CANT_HELP, _silence(evidence)),
        (Outcome.IGNORE, _harmless(evidence)),
    ):
        if found := list(reasons):
            return TriageResult(outcome=outcome, reason="; ".join(found))
    return TriageResult(
        outcome=Outcome.UNCLEAR,
        reason=f"neither harm nor harmlessness is sure ({_known(evidence)}), so it is trained for; the gate decides",
    )


def broken(evidence: Evidence) -> bool:
    """Whether more conversations are broken since the change; many more, where the detector is surer of something else."""
    defects = evidence.defects
    return defects is not None and defects.lower > (0 if evidence.leading is Aspect.DEFECTS else MANY)


def _no_use(evidence: Evidence) -> Iterator[str]:
    defects, answers = evidence.defects, evidence.changing_answers
    if broken(evidence) and defects is not None:
        yield (
            f"training can't help, fix the source: broken conversations {_points(defects)} (empty, repeated or cut-off "
            "turns)"
        )
    if answers is not None and answers.lower > CHANGING:
        yield (
            f"training can't help, this belongs into retrieval: {answers.estimate:.0%} of the users (at least "
            f"{answers.lower:.0%}) asked what is answered with other figures each time"
        )


def _silence(evidence: Evidence) -> Iterator[str]:
    """Say so where all that is known is that more users, or fewer, say what they think: no answer can be learned from it."""
    if evidence.leading is Aspect.FEEDBACK_RATE:
        yield (
            "training can't help, look at how users give feedback: how many do has changed, and nothing is measurably "
            f"worse ({_known(evidence)})"
        )


def _harm(evidence: Evidence) -> Iterator[str]:
    if evidence.feedback is not None and evidence.feedback.upper < 0:
        yield f"it hurts: feedback {_figure(evidence.feedback)}"
    if evidence.concept is not None and evidence.concept.above_zero:
        yield f"it hurts: same questions, other answers: loss {_nats(evidence.concept)}"
    if evidence.loss is not None and evidence.loss.above_zero:
        yield f"it hurts: loss {_nats(evidence.loss)}"
    lesson, extra = evidence.lesson, evidence.extra_lesson
    if lesson is not None and extra is not None and extra.above_zero and not _small(lesson):
        yield f"there is something to learn: {_nats(lesson)}, of that {_nats(extra)} beyond what the reference teaches"


def _small(lesson: Interval) -> bool:
    """Whether what is to be learned is surely next to nothing."""
    return lesson.upper < LESSON_MARGIN


def _harmless(evidence: Evidence) -> Iterator[str]:
    """Say so where each of the bounds shows it; silence shows nothing.

    Where the live version gave all answers itself, so that no loss tells anything, its users do.
    """
    loss, lesson, feedback = evidence.loss, evidence.lesson, evidence.feedback
    if evidence.answered_itself and feedback is not None and feedback.lower > -FEEDBACK_MARGIN:
        yield f"harmless: users are as content with its answers as before: feedback {_figure(feedback)}"
    if loss is None or lesson is None or not _small(lesson):
        return
    if loss.upper >= LOSS_MARGIN * evidence.reference_loss:
        return
    if feedback is not None and feedback.lower <= -FEEDBACK_MARGIN:
        return
    said = "" if feedback is None else f", feedback {_figure(feedback)}"
    yield f"harmless: loss {_nats(loss)}, to learn {_nats(lesson)}{said}"


def _known(evidence: Evidence) -> str:
    said = [
        f"{name} {_nats(found)}"
        for name, found in (
            ("loss", evidence.loss),
            ("to learn", evidence.lesson),
            ("of that, beyond the reference", evidence.extra_lesson),
        )
        if found is not None
    ]
    if evidence.feedback is not None:
        said.append(f"feedback {_figure(evidence.feedback)}")
    return ", ".join(said) or "too few conversations that somebody else answered, or rated"


def _nats(found: Interval) -> str:
    return f"{found.estimate:+.2f} nats per token ({found.lower:+.2f} to {found.upper:+.2f})"


def _figure(found: Interval) -> str:
    return f"{found.estimate:+.2f} ({found.lower:+.2f} to {found.upper:+.2f})"


def _points(found: Interval) -> str:
    return f"{found.estimate:+.0%} ({found.lower:+.0%} to {found.upper:+.0%})"
