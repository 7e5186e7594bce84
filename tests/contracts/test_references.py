"""The references of a model line, on both databases."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import Engine

from daemon.domain.windows import ReferenceCause, SeqRange, StoredReference
from daemon.drift.user_sampling import UserSampler
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.detectors import DetectorLedger, RaisedAlarm, StoredDetector
from daemon.ledger.freezes import FreezeLedger, NotFrozen, NothingToFreeze
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger, TooFewConversations
from daemon.ledger.windows import VerdictRow, WindowLedger
from daemon.retention.conversations import ConversationRetention
from tests.factories.ledger import NOW, a_batch, a_conversation, some_conversations, spread
from tests.factories.retention import some_retention


@pytest.fixture
def references(engine: Engine) -> ReferenceLedger:
    references = ReferenceLedger(engine)
    references.start("chat-v0", size=10, after_seq=0, now=NOW)
    return references


def read(engine: Engine, first: int, count: int) -> None:
    IntakeLedger(engine, window_size=20).record(a_batch(some_conversations(first, count)))


def test_a_new_reference_takes_the_newest_conversations(engine: Engine, references: ReferenceLedger) -> None:
    read(engine, 0, 50)

    assert references.start("chat-v1", size=10, after_seq=10, now=NOW).range == SeqRange(first=41, last=50)


def test_a_reference_without_enough_conversations_waits_for_them(
    engine: Engine, references: ReferenceLedger
) -> None:
    read(engine, 0, 15)
    assert references.start("chat-v1", size=10, after_seq=10, now=NOW).range is None

    read(engine, 15, 40)

    reference = references.newest()
    assert reference is not None
    assert reference.range == SeqRange(first=11, last=20)


def test_an_earlier_versions_reference_comes_back_with_it(
    engine: Engine, references: ReferenceLedger
) -> None:
    read(engine, 0, 50)
    references.start("chat-v1", size=10, after_seq=10, now=NOW)

    back = references.restore("chat-v0", NOW)

    assert back is not None
    assert (back.version, back.range) == ("chat-v0", SeqRange(first=1, last=10))
    assert references.restore("chat-v9", NOW) is None


def hourly(engine: Engine, first: int, count: int) -> None:
    """Conversations an hour apart, both sides of the split."""
    some = (
        a_conversation(n, at=NOW + timedelta(hours=n), held_out=n % 9 == 0)
        for n in range(first, first + count)
    )
    IntakeLedger(engine, window_size=20).record(a_batch(map(spread, some)))


def judge_all(engine: Engine, finding: str = "stable", monitor: str = "e_detector") -> None:
    windows = WindowLedger(engine)
    while (window := windows.next_to_judge()) is not None:
        reference = windows.reference()
        assert reference is not None
        row = VerdictRow(
            window=window.number, monitor=monitor, finding=finding, score=1.0, threshold=1.0, reason="", triggers=True
        )  # fmt: skip
        windows.record_judgement(
            window, [row], finding=finding, reference_id=reference.id, explanation=None, now=NOW
        )


def members(engine: Engine, reference: StoredReference | None) -> list[int]:
    assert reference is not None
    return [conversation.seq for conversation in ConversationLedger(engine).of_reference(reference)]


def test_a_full_reference_knows_when_it_took_place(engine: Engine, references: ReferenceLedger) -> None:
    hourly(engine, 0, 30)

    reference = references.newest()

    assert reference is not None
    assert (reference.since, reference.until) == (NOW, NOW + timedelta(hours=9))
    assert members(engine, reference) == list(range(1, 11))


def test_it_is_widened_over_what_was_judged_and_is_a_uniform_sample_of_it(
    engine: Engine, references: ReferenceLedger
) -> None:
    hourly(engine, 0, 55)  # of which ten wait in the open window, and five
    judge_all(engine)

    wider = references.widen(days=7, now=NOW)

    smallest = sorted(range(50), key=lambda n: hashlib.sha256(b"c%d" % n).hexdigest())[:10]
    assert wider is not None
    assert (wider.id, wider.version, wider.cause) == (2, "chat-v0", ReferenceCause.WIDENED)
    assert wider.range == SeqRange(first=1, last=50)
    assert members(engine, wider) == sorted(n + 1 for n in smallest)
    assert references.widen(days=7, now=NOW) is None  # no window was judged against the wider one


def test_it_is_widened_when_its_time_doubled_until_it_spans_the_cycle(
    engine: Engine, references: ReferenceLedger
) -> None:
    spans = []
    for first in range(0, 300, 20):
        hourly(engine, first, 20)
        judge_all(engine)
        if (wider := references.widen(days=7, now=NOW)) is not None:
            spans.append(round(wider.spanned / timedelta(hours=1)))

    assert spans == sorted(spans)
    assert all(later >= min(2 * earlier, 168) for earlier, later in pairwise(spans))
    assert 168 <= spans[-1] < 200


def test_what_raised_an_alarm_and_is_not_judged_yet_is_never_taken_in(
    engine: Engine, references: ReferenceLedger
) -> None:
    hourly(engine, 0, 55)
    judge_all(engine)
    stored = StoredDetector(reference_id=1, seq=53, state={}, at=NOW)
    raised = RaisedAlarm(seq=53, since_seq=48, evidence={"input": 1e6}, at=NOW)
    DetectorLedger(engine).raise_alarm(stored, raised)

    assert references.widen(days=7, now=NOW) is None


def test_what_came_before_a_rollback_is_never_taken_in(engine: Engine, references: ReferenceLedger) -> None:
    hourly(engine, 0, 55)
    references.start("chat-v1", size=10, after_seq=30, now=NOW)
    references.restore("chat-v0", NOW)
    hourly(engine, 55, 40)
    judge_all(engine)

    assert references.widen(days=7, now=NOW) is None


def test_no_cycle_no_widening(engine: Engine, references: ReferenceLedger) -> None:
    hourly(engine, 0, 55)
    judge_all(engine)

    assert references.widen(days=0, now=NOW) is None


def test_a_new_version_has_a_sample_of_the_days_since_the_change(
    engine: Engine, references: ReferenceLedger
) -> None:
    hourly(engine, 0, 300)

    of_a_day = references.start("chat-v1", size=10, after_seq=100, now=NOW, days=1)
    of_all = references.start("chat-v2", size=10, after_seq=100, now=NOW, days=30)

    assert (of_a_day.range, of_all.range) == (SeqRange(first=276, last=300), SeqRange(first=101, last=300))
    assert len(members(engine, of_a_day)) == len(members(engine, of_all)) == 10


def test_an_operator_fixes_it_and_nobody_widens_that(engine: Engine, references: ReferenceLedger) -> None:
    hourly(engine, 0, 100)

    last = references.set_to_newest("chat-v0", 40, size=10, by="ada", why="after the fair", now=NOW)
    judge_all(engine)

    assert (last.range, last.by, last.why) == (SeqRange(first=61, last=100), "ada", "after the fair")
    assert last.cause is ReferenceCause.OPERATOR
    assert len(members(engine, last)) == 10
    hourly(engine, 100, 40)
    judge_all(engine)
    assert references.widen(days=7, now=NOW) is None


def test_a_wrong_clock_does_not_stretch_what_an_operator_fixed(
    engine: Engine, references: ReferenceLedger
) -> None:
    hourly(engine, 0, 300)
    stray = replace(a_conversation(300, at=NOW + timedelta(hours=100)), conversation_hash="f" * 64)
    IntakeLedger(engine, window_size=20).record(a_batch([stray]))

    fixed = references.set_to_period(
        "chat-v0", NOW + timedelta(hours=50), NOW + timedelta(hours=250),
        size=10, by="ada", why="", now=NOW,
    )  # fmt: skip

    assert fixed.range == SeqRange(first=53, last=249)


def test_too_few_conversations_are_refused_with_how_many_there_are(
    engine: Engine, references: ReferenceLedger
) -> None:
    hourly(engine, 0, 15)

    with pytest.raises(TooFewConversations, match=r"there are 15 .* needs 20 \(windows.reference_size\)"):
        references.set_to_newest("chat-v0", 50, size=20, by="ada", why="", now=NOW)
    with pytest.raises(TooFewConversations, match="there are 3 "):
        references.set_to_period("chat-v0", NOW, NOW + timedelta(hours=3), size=10, by="ada", why="", now=NOW)


def test_while_it_is_frozen_only_an_operator_changes_it(engine: Engine, references: ReferenceLedger) -> None:
    freezes = FreezeLedger(engine)
    hourly(engine, 0, 55)
    judge_all(engine)
    frozen = freezes.freeze(by="ada", why="the audit", now=NOW)

    assert freezes.freeze(by="bob", why="so", now=NOW) == frozen == references.frozen()
    assert references.widen(days=7, now=NOW) is None
    assert references.start("chat-v1", size=10, after_seq=0, now=NOW).version == "chat-v0"
    assert references.restore("chat-v0", NOW) is None
    assert references.set_to_newest("chat-v0", 20, size=10, by="ada", why="", now=NOW).id == 2
    freezes.unfreeze(by="bob", why="enough", now=NOW)
    assert references.frozen() is None
    assert references.start("chat-v1", size=10, after_seq=0, now=NOW).version == "chat-v1"


def test_what_is_not_full_can_not_be_frozen_and_what_is_not_frozen_not_let_go(
    engine: Engine, references: ReferenceLedger
) -> None:
    assert references.newest() is not None

    with pytest.raises(NothingToFreeze):
        FreezeLedger(engine).freeze(by="ada", why="", now=NOW)
    with pytest.raises(NotFrozen):
        FreezeLedger(engine).unfreeze(by="ada", now=NOW)


def test_earlier_references_are_known_each_once_and_at_its_widest(
    engine: Engine, references: ReferenceLedger
) -> None:
    hourly(engine, 0, 55)
    judge_all(engine)
    references.widen(days=7, now=NOW)
    for number in range(1, 12):
        hourly(engine, 45 + 10 * number, 10)
        references.start(f"chat-v{number}", size=10, after_seq=45 + 10 * number, now=NOW)
    references.restore("chat-v10", NOW)

    earlier = references.earlier()

    newest = references.newest()
    assert newest is not None
    assert newest.version == "chat-v10"
    assert [reference.version for reference in earlier] == [f"chat-v{n}" for n in (11, 9, 8, 7, 6, 5, 4, 3)]


def test_the_members_of_kept_references_stay_when_all_else_around_them_goes(
    engine: Engine, references: ReferenceLedger
) -> None:
    hourly(engine, 0, 55)
    judge_all(engine)
    wide = members(engine, references.widen(days=7, now=NOW))
    hourly(engine, 55, 145)
    judge_all(engine)

    retention = ConversationRetention(engine, lambda: some_retention(conversations=10, sample=0))
    while retention.prune(NOW):
        pass

    assert members(engine, references.newest()) == wide
    left = ConversationLedger(engine).between(SeqRange(first=1, last=50))
    assert [conversation.seq for conversation in left] == wide


def test_of_a_user_the_first_in_each_block_counts_by_all_that_the_ledger_holds(engine: Engine) -> None:
    """Of what was drawn, by what was not drawn too; who is not known counts always."""
    users = ["ada", "bob", "ada", None, None, "ada", "bob", "ada", "ada", "cyd"]
    some = [a_conversation(n, user=user) for n, user in enumerate(users)]
    IntakeLedger(engine, window_size=20).record(a_batch(some))
    some_conversations = ConversationLedger(engine)

    every = some_conversations.first_of_each_user(
        some_conversations.between(SeqRange(first=1, last=10)), block=4
    )
    drawn = some_conversations.first_of_each_user(some_conversations.by_seq([3, 5, 7, 8, 10]), block=4)

    assert [conversation.seq for conversation in every] == [
        1,
        2,
        4,
        5,
        6,
        7,
        8,
        10,
    ]  # blocks of 0 to 3, 4 to 7, 8 to 11
    assert [conversation.seq for conversation in drawn] == [5, 7, 8, 10]
    assert some_conversations.first_of_each_user([], block=4) == []


def test_of_a_reference_and_of_a_window_those_count_that_count_in_the_stream(engine: Engine) -> None:
    references = ReferenceLedger(engine)
    references.start("chat-v0", size=12, after_seq=0, now=NOW)
    users = ["ada", "ada", "bob", "ada", "cyd", "dan", "bob", "ada", "ada", "bob", "cyd", "cyd"]
    some = [a_conversation(n, user=user) for n, user in enumerate([*users, *["eve"] * 6])]
    IntakeLedger(engine, window_size=20).record(a_batch(some))
    reference = references.newest()
    assert reference is not None
    counting = UserSampler(ConversationLedger(engine))

    found, window = counting.of_reference(reference), counting.within(SeqRange(first=13, last=18), 4)

    assert (found.block, found.of) == (4, 12)
    assert [conversation.seq for conversation in found.conversations] == [1, 3, 4, 5, 6, 7, 8, 10, 11, 12]
    assert counting.of_reference(reference) == found
    assert [conversation.seq for conversation in window.conversations] == [13, 16]
    assert [
        conversation.seq for conversation in counting.within(SeqRange(first=14, last=15), 4).conversations
    ] == [
        14,
        15,
    ]  # none counts
