"""Decides about a change: train, ignore it, or report that training can't help. Pure.

A change alone says nothing: with enough conversations everything differs from a fixed reference. The question is whether
the live version is worse off or could learn something. A change is harmless only where that is shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from monitors.triage.intervals import Interval
from monitors.types import Aspect, Outcome

#: A harmless change raises the loss by less than this share of the reference's loss.
LOSS_MARGIN = 0.1
#: A harmless change leaves less than this to learn, in nats per token.
LESSON_MARGIN = 0.1
#: A harmless change lowers feedback, from -1 to 1, by less than this.
FEEDBACK_MARGIN = 0.2
#: Rise of the share of users with defective conversations above which training can't help.
MANY = 0.1
#: Share of users who asked questions with changing answers above which training can't help.
CHANGING = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Measurements of a change, of new conversations against the reference; None where there were too few.

    Losses are the live version's, in nats per token, on answers to imitate: replies of others, and corrected ones.
    """

    answered_itself: bool = False  # the live version gave nearly all answers, so that losses say nothing

    loss: Interval | None = None  # difference
    reference_loss: float = 0.0  # mean
    feedback: Interval | None = None  # difference, on a scale from -1 (worst) to 1 (best)
    lesson: Interval | None = None  # learnable loss of a new conversation, from the other new ones
    extra_lesson: Interval | None = None  # the part of it that the reference does not teach
    concept: Interval | None = None  # difference of loss on the same questions
    defects: Interval | None = None  # difference of the share of defective conversations
    changing_answers: Interval | None = None  # share of users who asked questions with changing answers
    leading_aspect: Aspect | None = None  # the aspect with the most evidence


@dataclass(frozen=True, kw_only=True, slots=True)
class TriageResult:
    """The outcome of a triage, with its reason."""

    outcome: Outcome
    reason: str  # one sentence, used unchanged in logs and reports


def triage(evidence: Evidence) -> TriageResult:
    """Decide in this order: training can't help, the change does harm, it is harmless; else the outcome is unclear."""
    for outcome, reasons in (
        (Outcome.CANT_HELP, _reasons_it_cant_help(evidence)),
        (Outcome.TRAIN, _harms(evidence)),
        (Outcome.CANT_HELP, _only_feedback_rate(evidence)),
        (Outcome.IGNORE, _harmless(evidence)),
    ):
        if found := list(reasons):
            return TriageResult(outcome=outcome, reason="; ".join(found))
    return TriageResult(
        outcome=Outcome.UNCLEAR,
        reason=f"neither harm nor harmlessness is sure ({_known(evidence)}), so it is trained for; the gate decides",
    )


def broken(evidence: Evidence) -> bool:
    """Whether more conversations are defective since the change; many more, unless defects are the leading aspect."""
    defects = evidence.defects
    return defects is not None and defects.lower > (0 if evidence.leading_aspect is Aspect.DEFECTS else MANY)


def _reasons_it_cant_help(evidence: Evidence) -> Iterator[str]:
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


def _only_feedback_rate(evidence: Evidence) -> Iterator[str]:
    """Yield the reason where only the feedback rate changed, from which nothing can be learned."""
    if evidence.leading_aspect is Aspect.FEEDBACK_RATE:
        yield (
            "training can't help, look at how users give feedback: how many do has changed, and nothing is measurably "
            f"worse ({_known(evidence)})"
        )


def _harms(evidence: Evidence) -> Iterator[str]:
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
    """Whether the learnable loss is below the margin with confidence."""
    return lesson.upper < LESSON_MARGIN


def _harmless(evidence: Evidence) -> Iterator[str]:
    """Yield the reason where all bounds show that the change is harmless; missing measurements show nothing.

    Where the live version gave all answers itself, its loss says nothing, and feedback decides.
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
    measured = "" if feedback is None else f", feedback {_figure(feedback)}"
    yield f"harmless: loss {_nats(loss)}, to learn {_nats(lesson)}{measured}"


def _known(evidence: Evidence) -> str:
    measured = [
        f"{name} {_nats(found)}"
        for name, found in (
            ("loss", evidence.loss),
            ("to learn", evidence.lesson),
            ("of that, beyond the reference", evidence.extra_lesson),
        )
        if found is not None
    ]
    if evidence.feedback is not None:
        measured.append(f"feedback {_figure(evidence.feedback)}")
    return ", ".join(measured) or "too few conversations that somebody else answered, or rated"


def _nats(found: Interval) -> str:
    return f"{found.estimate:+.2f} nats per token ({found.lower:+.2f} to {found.upper:+.2f})"


def _figure(found: Interval) -> str:
    return f"{found.estimate:+.2f} ({found.lower:+.2f} to {found.upper:+.2f})"


def _points(found: Interval) -> str:
    return f"{found.estimate:+.0%} ({found.lower:+.0%} to {found.upper:+.0%})"
