"""What alerts as tickets say of a line, for people who look: silence, a gate that waits, dead letters near their ceiling."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.ledger.line_facts import LineFacts

#: The same numbers stand in the alerts RetunedNoConversations, RetunedFeedbackSilent, RetunedGateStarving and
#: RetunedDeadLettersNearCeiling.
NO_CONVERSATIONS = timedelta(days=1)
NO_FEEDBACK = timedelta(days=2)
USERS_TALK = timedelta(hours=6)
GATE_WAITS = timedelta(days=2)
NEAR_CEILING = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Concern:
    """Something that is not broken, and that somebody should look at."""

    alert: str  # that says the same
    phrase: str  # a few words: what to do
    found: str  # a sentence
    remedy: str  # a sentence with the command that shows more


def concerns_of(facts: LineFacts, now: datetime) -> Iterator[Concern]:
    """Yield what to look at."""
    if facts.ceiling_ratio > NEAR_CEILING:
        yield Concern(
            alert="RetunedDeadLettersNearCeiling",
            phrase="see the dead letters",
            found=f"So many records can't be used that intake soon halts: {facts.ceiling_ratio:.0%} of a limit is reached.",
            remedy="See why: `retuned deadletters list`.",
        )
    yield from _of_silence(facts, now)
    gate = facts.gate_open_since
    if gate is not None and now - gate > GATE_WAITS:
        yield Concern(
            alert="RetunedGateStarving",
            phrase="see the gate",
            found=f"The newest version has waited for the gate for {_days(now - gate)}.",
            remedy="See what is missing: `retuned why --not`.",
        )


def _of_silence(facts: LineFacts, now: datetime) -> Iterator[Concern]:
    started = facts.live_since[1] if facts.live_since else now
    last = facts.last_conversation or started
    if now - last > NO_CONVERSATIONS:
        since = "has ever been stored" if facts.last_conversation is None else f"came for {_days(now - last)}"
        yield Concern(
            alert="RetunedNoConversations",
            phrase="see what producers log",
            found=f"No conversation {since}.",
            remedy="Look at topic and format: `retuned doctor`.",
        )
    feedback = facts.last_feedback
    if feedback is not None and now - feedback > NO_FEEDBACK and now - last < USERS_TALK:
        yield Concern(
            alert="RetunedFeedbackSilent",
            phrase="see why there is no feedback",
            found=f"Users talk, but have given no feedback for {_days(now - feedback)}.",
            remedy="See what still teaches anything: `retuned doctor`.",
        )


def _days(time: timedelta) -> str:
    return f"{time.days} days" if time.days > 1 else "a day"
