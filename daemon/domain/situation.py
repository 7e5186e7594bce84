"""What is going on in a model line: one statement, from which every screen, metric, decision and page speaks. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from daemon.domain.alarms import Alarm, Triage
from monitors.types import Outcome


class SituationState(StrEnum):
    """The states of a model line; a label of ``retuned_situation``."""

    NO_REFERENCE = "no_reference"  # nothing to compare windows with yet
    STABLE = "stable"  # no change is open
    WINDOW_DRIFT = "window_drift"  # a monitor finds the newest window different, and no alarm is open
    ALARM_RAISED = "alarm_raised"  # waits to be confirmed by fresh windows
    IN_TRIAGE = "in_triage"  # confirmed; whether it hurts is being found out
    CONFIRMED = "confirmed"  # confirmed; the training that it calls for has not begun
    TRAINING = "training"  # a training on it is decided on or goes on
    AT_GATE = "at_gate"  # the version that learned it has not been put live or turned down
    NOT_TRAINED = "not_trained"  # answered by the decision not to train
    UNRESOLVED = "unresolved"  # a training has not led to a live version, and the change is still there
    PROMOTED = "promoted"  # a version is live, and no window is compared with its reference yet


class AnswerFate(StrEnum):
    """What became of the training that learned from a change."""

    OPEN = "open"  # its version is at the gate, or waits for more data
    PASSED = "passed"  # it passed the gate and is not live yet
    LIVE = "live"
    REJECTED = "rejected"  # by the gate
    UNDECIDED = "undecided"  # the gate has given up
    BARRED = "barred"  # by an operator, before it was live
    LEFT = "left"  # it was live, and was rolled back
    FAILED = "failed"  # the run failed or was cancelled


_UNRESOLVED = frozenset(
    {AnswerFate.REJECTED, AnswerFate.UNDECIDED, AnswerFate.BARRED, AnswerFate.LEFT, AnswerFate.FAILED}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The newest training that learned from a change, and what became of it."""

    run: str
    fate: AnswerFate
    version: str | None = None  # that it made
    short: str | None = None  # the version as commands take it: v3
    reason: str = ""  # of the gate, the operator or the failure


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenChange:
    """The newest change from the newest reference that the detector found, as the judged windows tell."""

    window: int  # in which the alarm was first raised
    newest_window: int  # in which it was raised last
    quiet: int  # windows judged since, in which it was not raised
    dropped: bool  # LOOKS fresh windows did not confirm it, and no later alarm took its place
    ended: bool  # more windows were quiet than a change that lasts would leave


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedWindow:
    """The newest window that was compared with the newest reference."""

    number: int
    finding: str
    drifting: tuple[str, ...]  # monitors that found drift in it


@dataclass(frozen=True, kw_only=True, slots=True)
class SituationFacts:
    """Everything that the situation depends on."""

    collecting: str | None = None  # how far the reference is; None once it is full
    live: str | None = None  # the version
    awaits_reference: bool = False  # of a version that was promoted
    compared: ComparedWindow | None = None
    change: OpenChange | None = None
    alarm: Alarm | None = None  # that no training and no decision has answered
    work: str | None = None  # in words, the training on the change that is decided on or goes on
    answer: Answer | None = None
    triage: Triage | None = None  # of the alarm
    declined: str | None = None  # why the change was answered without training
    outcome: Outcome | None = (
        None  # of the triage of the alarm, or of the one that the change was answered by
    )
    on_drift: bool = True  # policy.on_drift
    triages: bool = True  # policy.triage


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What is going on."""

    state: SituationState
    phrase: str  # a few words, for a headline
    sentence: str  # without the full stop
    next: str | None = None  # what happens next by itself, without the full stop
    remedy: str | None = (
        None  # what an operator can do, where the daemon alone may not end it; one or more sentences
    )
    window: int | None = None  # the window that it is about
    version: str | None = None  # the version that it is about
    triage: Outcome | None = None  # of the change, while it is open


_NO_DRIFT = "no drift"
_PHRASES: Mapping[SituationState, str] = {
    SituationState.NO_REFERENCE: "nothing compared yet",
    SituationState.STABLE: _NO_DRIFT,
    SituationState.WINDOW_DRIFT: "no alarm",
    SituationState.ALARM_RAISED: "drift suspected",
    SituationState.IN_TRIAGE: "drift confirmed",
    SituationState.CONFIRMED: "drift confirmed",
    SituationState.TRAINING: "drift confirmed",
    SituationState.AT_GATE: "drift trained on",
    SituationState.NOT_TRAINED: "drift not trained on",
    SituationState.UNRESOLVED: "drift still there",
    SituationState.PROMOTED: "nothing compared yet",
}
#: States in which nothing is known to be wrong with what the live version answers.
CALM = frozenset(
    {
        SituationState.NO_REFERENCE,
        SituationState.STABLE,
        SituationState.WINDOW_DRIFT,
        SituationState.PROMOTED,
    }
)


def situation_of(facts: SituationFacts) -> Situation:
    """Derive what is going on."""
    if facts.awaits_reference:
        return _promoted(facts)
    if facts.collecting is not None:
        return _said(
            SituationState.NO_REFERENCE, f"no window is compared yet: the reference {facts.collecting}"
        )
    if facts.change is None:
        return _undisturbed(facts)
    situation = _of_change(facts, facts.change)
    return situation if situation.state in CALM else replace(situation, triage=facts.outcome)


def decision_reason(situation: Situation) -> str:
    """Return why nothing calls for a training, for the record of a decision that no alarm led to."""
    joined = " and" if situation.sentence == _NO_DRIFT else ";"
    return f"{situation.sentence}{joined} no other reason to train"


def sentence_of(words: str) -> str:
    """Return words as a sentence. A name at the beginning stays as it is written."""
    first, _, _ = words.partition(" ")
    is_name = any(letter.isdigit() for letter in first)
    return f"{words if is_name else words[0].upper() + words[1:]}."


def _of_change(facts: SituationFacts, change: OpenChange) -> Situation:
    """Derive what is going on where the detector has found a change from the newest reference."""
    if facts.work is not None and not change.dropped:
        return _said(
            SituationState.TRAINING,
            f"the change {_since(change)} is being answered: {facts.work}",
            next_="the gate then compares the version with the live one",
            window=change.window,
        )
    if facts.declined is not None and facts.alarm is None:
        return _unless_ended(facts, change, lambda: _not_trained(change, facts.declined or ""))
    # A version that is live answers no alarm that was raised against an earlier version's reference since.
    answers = facts.answer is not None and (facts.alarm is None or facts.answer.fate is not AnswerFate.LIVE)
    if facts.answer is not None and answers and not change.dropped:
        return _answered(facts, change, facts.answer)
    if facts.alarm is None:
        note = "" if not change.dropped else f"; fresh windows did not confirm the alarm {_since(change)}"
        return _undisturbed(facts, note)
    return _alarmed(facts, facts.alarm)


def _alarmed(facts: SituationFacts, alarm: Alarm) -> Situation:
    """Derive what is going on where an alarm is open."""
    if not alarm.confirmed:
        return _said(
            SituationState.ALARM_RAISED,
            f"the detector raised an alarm in window {alarm.window}, which waits to be confirmed",
            next_="the next windows confirm it or drop it",
            window=alarm.window,
        )
    found = f"the change since window {alarm.window} is confirmed"
    if not facts.on_drift:
        return _said(
            SituationState.NOT_TRAINED,
            f"{found}, but policy.on_drift is off",
            remedy="Train on it: `retuned train -m REASON`.",
            window=alarm.window,
        )
    if facts.triages and facts.triage is None:
        return _said(
            SituationState.IN_TRIAGE,
            f"{found} and in triage",
            next_="triage tells whether it hurts and whether training would help",
            window=alarm.window,
        )
    return _said(
        SituationState.CONFIRMED,
        f"{found}, and no training on it has begun",
        next_="the daemon decides after each judged window; `retuned why` says what it waits for",
        window=alarm.window,
    )


def _answered(facts: SituationFacts, change: OpenChange, answer: Answer) -> Situation:
    """Derive what is going on where a training has learned from the change, or was to."""
    version = answer.version or answer.run
    if answer.fate in _UNRESOLVED:
        return _unless_ended(facts, change, lambda: _unresolved(facts, change, answer))
    if answer.fate is AnswerFate.LIVE:
        return _said(
            SituationState.PROMOTED,
            f"{version} learned from the change {_since(change)} and is live, but windows are compared with a reference "
            "without it",
            next_="the reference follows at the daemon's next turn, unless an operator has set or frozen it: "
            "`retuned reference show`",
            window=change.window,
            version=version,
        )
    waits = (
        " and is at the gate" if answer.fate is AnswerFate.OPEN else ", passed the gate and is not live yet"
    )
    return _said(
        SituationState.AT_GATE,
        f"{version} learned from the change {_since(change)}{waits}",
        next_=None if answer.fate is AnswerFate.PASSED else "it goes live if the gate finds it better",
        window=change.window,
        version=version,
    )


def _unresolved(facts: SituationFacts, change: OpenChange, answer: Answer) -> Situation:
    if facts.alarm is not None and facts.alarm.confirmed and facts.on_drift:
        next_ = "the daemon trains again once nothing is in the way; `retuned why` says what it waits for"
    elif facts.on_drift:
        next_ = "the daemon trains again once an alarm on newer conversations is confirmed"
    else:
        next_ = None  # policy.on_drift is off
    return _said(
        SituationState.UNRESOLVED,
        f"the change {_since(change)} is still there: {_outcome(answer)}",
        next_=next_,
        remedy=_remedy(answer),
        window=change.window,
        version=answer.version,
    )


def _outcome(answer: Answer) -> str:
    """Return in words why a training did not end a change."""
    version = answer.version or answer.run
    words = {
        AnswerFate.REJECTED: f"the gate rejected {version}, which learned from it",
        AnswerFate.UNDECIDED: f"the gate could not decide on {version}, which learned from it, and looks no more",
        AnswerFate.BARRED: f"{version}, which learned from it, does not go live",
        AnswerFate.LEFT: f"{version}, which learned from it, was rolled back",
        AnswerFate.FAILED: f"run {answer.run}, which was to learn from it, did not finish",
    }
    return f"{words[answer.fate]} ({answer.reason})" if answer.reason else words[answer.fate]


def _remedy(answer: Answer) -> str:
    again = "Train at once: `retuned train -m REASON`."
    if answer.fate is AnswerFate.FAILED or answer.short is None:
        return again
    return (
        f"See the gate's numbers: `retuned show {answer.short}`. {again} Or put it live all the same: "
        f"`retuned promote {answer.short} --force -m REASON`."
    )


def _not_trained(change: OpenChange, reason: str) -> Situation:
    return _said(
        SituationState.NOT_TRAINED,
        f"the change {_since(change)} is answered by the decision not to train: {reason}",
        next_="alarms about it are passed over for a while, then it is triaged anew",
        window=change.window,
    )


def _unless_ended(facts: SituationFacts, change: OpenChange, otherwise: Callable[[], Situation]) -> Situation:
    """Return what is said of a change that is still there; of one that was not found again, that all is as before."""
    if change.ended and facts.alarm is None:
        note = f"; the change {_since(change)} was not found again in the {change.quiet} windows since window {change.newest_window}"
        return _undisturbed(facts, note)
    return otherwise()


def _undisturbed(facts: SituationFacts, note: str = "") -> Situation:
    """Say that no change is open; where a window differs all the same, what that means."""
    window = facts.compared
    if window is None or not window.drifting:
        nothing = "; no window is compared with this reference yet" if window is None and not note else ""
        return _said(
            SituationState.STABLE, f"{_NO_DRIFT}{note}{nothing}", window=window.number if window else None
        )
    monitors = ", ".join(window.drifting)
    return _said(
        SituationState.WINDOW_DRIFT,
        f"window {window.number} differs from the reference ({monitors}), as one may by chance, and no alarm is open{note}",
        next_="one window may differ by chance, at the declared rate of false alarms; the detector, which adds up the "
        "evidence of all conversations, decides",
        window=window.number,
    )


def _promoted(facts: SituationFacts) -> Situation:
    collecting = f"its reference {facts.collecting}" if facts.collecting else "its reference is new"
    return _said(
        SituationState.PROMOTED,
        f"{facts.live} is live, and no window is compared with what it handles yet: {collecting}",
        version=facts.live,
    )


def _since(change: OpenChange) -> str:
    again = (
        f", raised last in window {change.newest_window}," if change.newest_window != change.window else ""
    )
    return f"since window {change.window}{again}"


def _said(
    state: SituationState,
    sentence: str,
    *,
    next_: str | None = None,
    remedy: str | None = None,
    window: int | None = None,
    version: str | None = None,
) -> Situation:
    return Situation(
        state=state,
        phrase=_PHRASES[state],
        sentence=sentence,
        next=next_,
        remedy=remedy,
        window=window,
        version=version,
    )
