"""One confirmed alarm under triage: what is compared, and what is scored so far."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from daemon.domain.alarms import Alarm
from daemon.domain.lessons import LessonRules
from daemon.domain.records import StoredConversation
from daemon.domain.windows import SeqRange, StoredReference
from daemon.drift.imitable_answers import imitable, speaks_for, taught
from daemon.drift.samples import sample_of
from daemon.drift.user_sampling import UserSampler
from daemon.ledger.signals import LateSignal
from daemon.ledger.stores import Stores
from learners.types import Surprisals
from monitors.triage.comparison import (
    ComparedConversation,
    Conclusion,
    ScoringPlan,
    Sides,
    conclude,
    plan_scoring,
)
from monitors.triage.learnable_loss import ScoredConversation
from registry.types import Version

#: The newest conversations of either side are compared: reading and comparing them takes about a second.
_NEW, _REFERENCE = 500, 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveVersion:
    """The live version, which answers are its own, and which conversations it may know by heart."""

    name: str
    learned_until: int  # it may have learned what is not held out up to this seq; 0: nothing
    rules: LessonRules

    @staticmethod
    def of(version: Version, learned_until: int, rules: LessonRules) -> "LiveVersion":
        """Return what matters of a version. The base model has learned from nothing."""
        known = 0 if version.run is None else learned_until
        return LiveVersion(name=str(version.name), learned_until=known, rules=rules)


@dataclass(kw_only=True, slots=True)
class TriageCase:
    """The conversations of one alarm, and the scores that have come in."""

    alarm: Alarm
    conversations: Mapping[
        int, StoredConversation
    ]  # those that may be scored, as they should have gone, by seq
    sides: Sides
    plan: ScoringPlan
    waiting: list[int]  # seqs to score, in order
    scored: dict[int, ScoredConversation] = field(default_factory=dict)

    def next(self, count: int) -> list[StoredConversation]:
        """Return the conversations to score now; empty once all are scored."""
        return [self.conversations[seq] for seq in self.waiting[:count]]

    def take(self, surprisals: Sequence[Surprisals]) -> None:
        """Take the scores of the next ones, which are named by their seq."""
        self.waiting = self.waiting[len(surprisals) :]
        for each in surprisals:
            if each.tokens and all(map(math.isfinite, each.nats)):
                self.scored[int(each.id)] = ScoredConversation(id=each.id, tokens=each.tokens, nats=each.nats)

    def conclude(self) -> Conclusion:
        """Conclude from what is scored by now."""
        return conclude(self.sides, self.plan, self.scored, leading=self.alarm.leading)


def read_case(
    stores: Stores, sampler: UserSampler, alarm: Alarm, reference: StoredReference, live: LiveVersion
) -> TriageCase:
    """Read both sides of an alarm from the ledger and plan what to score. Takes about half a second."""
    last = stores.conversations.last_seq()
    since = SeqRange(first=max(alarm.first_seq, last - _NEW + 1), last=last)
    counted = sampler.of_reference(reference)
    known = counted.conversations[-_REFERENCE:]
    new = sampler.within(since, counted.block).conversations
    opinions = stores.signals.opinions_on(conversation.seq for conversation in (*new, *known))
    return case_of(alarm, new, known, opinions=opinions, live=live)


def case_of(
    alarm: Alarm,
    new: Sequence[StoredConversation],
    reference: Sequence[StoredConversation],
    *,
    opinions: Mapping[int, LateSignal],
    live: LiveVersion,
) -> TriageCase:
    """Return the case of these conversations and of what users think of them, by seq."""
    scorable = {one.seq: found for one in (*new, *reference) if (found := _scorable(one, live)) is not None}
    sides = Sides(
        new=_compared(new, scorable, opinions, live),
        reference=_compared(reference, scorable, opinions, live),
    )
    plan = plan_scoring(sides, seed=alarm.window)
    return TriageCase(
        alarm=alarm,
        conversations=scorable,
        sides=sides,
        plan=plan,
        waiting=plan.order,
    )


def _compared(
    side: Iterable[StoredConversation],
    scorable: Collection[int],
    opinions: Mapping[int, LateSignal],
    live: LiveVersion,
) -> list[ComparedConversation]:
    return [
        ComparedConversation(
            key=conversation.seq,
            sample=sample_of(conversation),
            scorable=conversation.seq in scorable,
            taught=None
            if (taught_one := taught(conversation, live.rules)) is None
            else sample_of(taught_one),
            opinion=opinion.value if opinion else None,
            opinion_delay=opinion.delay if opinion else None,
        )
        for conversation in side
        for opinion in [_opinion(conversation, opinions, live)]
    ]


def _scorable(conversation: StoredConversation, live: LiveVersion) -> StoredConversation | None:
    """Return a conversation as it should have gone, if the live version's loss on it says something; else None."""
    unknown = conversation.held_out or conversation.seq > live.learned_until
    return imitable(conversation, live.rules, live=live.name) if unknown else None


def _opinion(
    conversation: StoredConversation, opinions: Mapping[int, LateSignal], live: LiveVersion
) -> LateSignal | None:
    """Return the opinion of an answer of the live version, or of an answer whose version nobody named."""
    theirs = conversation.version is None or speaks_for(live.name, conversation.version, live.rules)
    return opinions.get(conversation.seq) if theirs else None
