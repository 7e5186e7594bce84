import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from daemon.domain.alarms import Alarm
from daemon.domain.conversation import Message
from daemon.domain.lessons import LessonRules
from daemon.domain.records import Coordinates, StoredConversation
from daemon.drift.triage_case import LiveVersion, TriageCase, case_of
from daemon.ledger.signals import LateSignal
from learners.types import Surprisals
from monitors.triage.answer_churn import answer_churn
from monitors.triage.comparison import collect_evidence
from monitors.triage.triage import Evidence
from tests.factories.ledger import NOW


def a_conversation(seq: int, question: str, *, version: str | None = None) -> StoredConversation:
    return StoredConversation(
        seq=seq,
        conversation_id=f"c{seq}",
        coordinates=Coordinates(topic="t", partition=0, offset=seq),
        at=NOW,
        group=f"u{seq}",
        held_out=False,
        version=version,
        messages=(Message(role="user", content=question), Message(role="assistant", content="so")),
        feedback=None,
        text_digest="",
        record_sha256="",
        conversation_hash="",
    )


def about(number: int) -> str:
    """A question that shares no word with another's."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join(letters[number % 26] * length + letters[number // 26] for length in (2, 3, 4))


RULES = LessonRules(model_line="chat", own_names=frozenset({"base", "assistant"}))
REFERENCE = [a_conversation(1 + n, about(n)) for n in range(60)]
KNOWN = [a_conversation(101 + n, about(n)) for n in range(20)]  # asked before
NEW = [a_conversation(201 + n, about(n)) for n in range(100, 200)]


@dataclass(frozen=True)
class Change:
    """The conversations since a change, and what they are compared with."""

    new: Sequence[StoredConversation]
    reference: Sequence[StoredConversation]
    learned_until: int = 0
    opinions: Mapping[int, LateSignal] = field(default_factory=dict)

    def case(self) -> TriageCase:
        alarm = Alarm(window=1, first_seq=101, reason="so", at=NOW)
        live = LiveVersion(name="chat-v0", learned_until=self.learned_until, rules=RULES)
        return case_of(alarm, self.new, self.reference, opinions=self.opinions, live=live)


CHANGE = Change(new=[*KNOWN, *NEW], reference=REFERENCE)


def examined(change: Change, *, worse: float, batches: int = 999) -> Evidence:
    """What is found where the known questions' answers are so many nats a token worse than all others'."""
    case = change.case()
    while (conversations := case.next(7)) and batches:
        batches -= 1
        nats = [
            1.0 + 0.1 * (conversation.seq % 3) + worse * (101 <= conversation.seq <= 120)
            for conversation in conversations
        ]
        scores = zip(conversations, nats, strict=True)
        case.take(
            [
                Surprisals(id=str(conversation.seq), tokens=(1, 2), nats=(loss, loss))
                for conversation, loss in scores
            ]
        )
    answers = answer_churn([compared.sample for compared in case.sides.new])
    return collect_evidence(case.sides, case.plan, case.scored, leading=None, answers=answers)


def test_questions_that_the_reference_knows_are_compared_in_pairs() -> None:
    found = examined(CHANGE, worse=0.3)

    assert found.concept is not None
    assert found.concept.above_zero
    assert abs(found.concept.estimate - 0.3) < 0.1
    assert examined(replace(CHANGE, new=NEW), worse=0.3).concept is None


def test_where_nothing_got_worse_no_pair_says_so() -> None:
    found = examined(CHANGE, worse=0.0)

    assert found.concept is not None
    assert not found.concept.above_zero


def test_a_part_of_the_sample_has_its_share_of_both_sides() -> None:
    assert examined(CHANGE, worse=0.0, batches=8).loss is not None
    assert examined(CHANGE, worse=0.0, batches=3).loss is None


def test_what_the_live_version_said_or_may_have_learned_is_not_scored() -> None:
    own = [replace(conversation, version="chat-v0") for conversation in CHANGE.new]

    assert examined(replace(CHANGE, new=own), worse=0.0).loss is None
    assert examined(replace(CHANGE, learned_until=60), worse=0.0).loss is None
    held_out = [replace(conversation, held_out=True) for conversation in REFERENCE]
    assert examined(replace(CHANGE, learned_until=60, reference=held_out), worse=0.0).loss is not None


def test_of_opinions_those_are_compared_that_were_given_as_soon() -> None:
    """Most users are discontent and say so at once; the content ones do hours later, after the triage."""
    chance = random.Random(3)

    def opinion(conversation: StoredConversation) -> LateSignal:
        down = chance.random() < 0.7
        delay = timedelta(minutes=1) if down else timedelta(hours=chance.uniform(3, 9))
        return LateSignal(
            number=conversation.seq, seq=conversation.seq, value=-1.0 if down else 1.0, delay=delay
        )

    new = [replace(conversation, at=NOW + timedelta(minutes=n)) for n, conversation in enumerate(NEW)]
    latest = new[-1].at
    given = {conversation.seq: opinion(conversation) for conversation in (*new, *REFERENCE)}
    known = {
        conversation.seq: given[conversation.seq]
        for conversation in (*new, *REFERENCE)
        if conversation.seq <= 60
        or conversation.at + (given[conversation.seq].delay or timedelta()) <= latest
    }

    found = examined(replace(CHANGE, new=new, opinions=known), worse=0.0).feedback

    assert found is not None
    assert found.upper >= 0
