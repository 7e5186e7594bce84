"""What the ledger lets go of, and what it keeps, on both databases."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest
from sqlalchemy import Engine, func, select

from daemon.config.settings import RetentionSection
from daemon.domain.alarms import Triage
from daemon.domain.conversation import Feedback
from daemon.domain.decisions import Action, Decision, Trigger
from daemon.domain.halts import Halt, HaltKind
from daemon.domain.records import NewConversation
from daemon.domain.runs import Run, RunState
from daemon.domain.windows import SeqRange
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.counts import LedgerCounts
from daemon.ledger.database import reader
from daemon.ledger.dead_letters import DeadLetterLedger
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.halts import HaltLedger
from daemon.ledger.held_out_seqs import HeldOutSeqs
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.runs import RunLedger
from daemon.ledger.signals import SignalLedger
from daemon.ledger.tables import metadata, past_conversations, references, verdicts, windows
from daemon.ledger.triages import TriageLedger
from daemon.ledger.windows import VerdictRow, WindowLedger
from daemon.retention.conversations import ConversationRetention
from daemon.retention.history import HistoryRetention, HistoryTable
from monitors.types import Outcome
from tests.factories.ledger import NOW, a_batch, a_conversation, a_dead_letter, a_feedback
from tests.factories.lessons import RULES
from tests.factories.retention import some_retention

Read: TypeAlias = Callable[..., None]
KEEP = some_retention(conversations=30, sample=10)


@pytest.fixture
def read(engine: Engine) -> Read:
    intake = IntakeLedger(engine, window_size=20)

    def read(first: int, count: int, *, held_out_every: int = 0, at: datetime = NOW) -> None:
        intake.record(a_batch(some(first, count, held_out_every=held_out_every), at=at))

    return read


def some(first: int, count: int, *, held_out_every: int = 0) -> list[NewConversation]:
    """Conversations whose hashes are spread as real ones are."""
    return [
        replace(
            a_conversation(n, held_out=bool(held_out_every) and n % held_out_every == 0),
            conversation_hash=hashlib.sha256(b"%d" % n).hexdigest(),
        )
        for n in range(first, first + count)
    ]


def pruned(engine: Engine, keep: RetentionSection = KEEP, now: datetime = NOW) -> int:
    retention, went = ConversationRetention(engine, lambda: keep), 0
    while page := retention.prune(now):
        went += page
    return went


def left(engine: Engine, *, held_out: bool | None = None) -> list[int]:
    found = ConversationLedger(engine).between(SeqRange(first=1, last=99_999))
    return [conversation.seq for conversation in found if held_out in (None, conversation.held_out)]


def rows(engine: Engine, table: str) -> int:
    with reader(engine).begin() as connection:
        return connection.scalar(select(func.count()).select_from(metadata.tables[table])) or 0


def test_a_young_ledger_loses_nothing(read: Read, engine: Engine) -> None:
    read(0, 40)

    assert pruned(engine) == 0


def test_the_newest_of_each_side_stay_and_a_sample_of_the_older_ones(read: Read, engine: Engine) -> None:
    read(0, 200, held_out_every=2)

    pruned(engine)

    for side in (True, False):
        kept = left(engine, held_out=side)
        assert len(kept) == 40
        assert kept[10:] == [seq for seq in range(1, 201) if (seq % 2 == 1) is side][-30:]


def test_the_sample_is_the_same_whenever_it_is_drawn(read: Read, engine: Engine) -> None:
    for first in range(0, 400, 25):
        read(first, 25)
        pruned(engine)
    often = left(engine)

    oldest = {hashlib.sha256(b"%d" % n).hexdigest(): n + 1 for n in range(370)}
    assert often == [*sorted(oldest[hash_] for hash_ in sorted(oldest)[:10]), *range(371, 401)]


def test_a_conversation_that_is_gone_is_not_counted_again(read: Read, engine: Engine) -> None:
    read(0, 100)
    assert pruned(engine) == 60

    again = [replace(new, at=replace(new.at, offset=new.at.offset + 1_000)) for new in some(0, 100)]
    result = IntakeLedger(engine, window_size=20).record(a_batch(again))

    assert (result.conversations, result.duplicates) == (0, 100)


def test_as_many_of_those_that_are_gone_are_known_as_the_settings_say(read: Read, engine: Engine) -> None:
    read(0, 100)

    pruned(engine, some_retention(conversations=30, sample=10, known_ids=7))

    assert rows(engine, past_conversations.name) == 7


def test_scores_and_feedback_go_with_their_conversation(read: Read, engine: Engine) -> None:
    read(0, 100)
    intake, signals = IntakeLedger(engine, window_size=20), SignalLedger(engine)
    intake.record(a_batch(feedback=[a_feedback(100, "c0"), a_feedback(101, "c99")]))
    signals.add_losses("chat-v0", {1: (1.0, 2), 100: (1.0, 2)})

    pruned(engine, some_retention(conversations=30, sample=0))

    assert [one.seq for one in signals.losses("chat-v0", after=0, limit=9)] == [100]
    assert LedgerCounts(engine).intake().feedback == 1


def test_the_reference_and_windows_that_wait_for_judging_stay(read: Read, engine: Engine) -> None:
    ReferenceLedger(engine).start("chat-v0", size=10, after_seq=0, now=NOW)
    read(0, 35)  # the reference, a window, and part of another
    read(35, 100)

    pruned(engine, some_retention(conversations=10, sample=0))

    assert left(engine) == list(range(1, 136))  # all windows wait
    judge_all(engine)
    pruned(engine, some_retention(conversations=10, sample=0))
    assert left(engine) == [*range(1, 11), *range(126, 136)]


def test_a_rollback_finds_the_reference_of_the_version_before(read: Read, engine: Engine) -> None:
    ledger = ReferenceLedger(engine)
    ledger.start("chat-v0", size=10, after_seq=0, now=NOW)
    read(0, 50)
    ledger.start("chat-v1", size=10, after_seq=40, now=NOW)
    read(50, 100)
    judge_all(engine)

    pruned(engine, some_retention(conversations=10, sample=0))

    restored = ledger.restore("chat-v0", NOW)
    assert restored is not None
    assert len(ConversationLedger(engine).between(restored.range or SeqRange(first=0, last=0))) == 10


def test_what_is_too_old_goes_whatever_it_is_needed_for(read: Read, engine: Engine) -> None:
    ledger = ReferenceLedger(engine)
    ledger.start("chat-v0", size=10, after_seq=0, now=NOW)
    read(0, 20)
    read(20, 15, at=NOW + timedelta(days=30))

    went = pruned(engine, some_retention(max_age_days=20), now=NOW + timedelta(days=31))

    assert went == 20
    renewed = ledger.newest()
    assert renewed is not None
    assert renewed.range == SeqRange(first=26, last=35)
    assert ledger.restore("chat-v0", NOW) is not None


def test_a_reference_of_which_most_is_gone_is_not_restored(read: Read, engine: Engine) -> None:
    ledger = ReferenceLedger(engine)
    ledger.start("chat-v0", size=10, after_seq=0, now=NOW)
    read(0, 20)
    ledger.start("chat-v1", size=10, after_seq=10, now=NOW)
    read(20, 15, at=NOW + timedelta(days=30))

    pruned(engine, some_retention(max_age_days=20), now=NOW + timedelta(days=31))

    assert ledger.restore("chat-v0", NOW) is None


def test_held_out_words_that_were_learned_from_once_stay_unfit_to_judge_by(
    read: Read, engine: Engine
) -> None:
    read(0, 100)
    pruned(engine, some_retention(conversations=30, sample=0))
    IntakeLedger(engine, window_size=20).record(
        a_batch(
            [
                a_conversation(100, name="twin", text="0", held_out=True),
                a_conversation(101, name="new", held_out=True),
            ]
        )
    )

    said = replace(a_conversation(102, name="said", held_out=True), text_digest=a_conversation(0).text_digest)
    IntakeLedger(engine, window_size=20).record(a_batch([said]))

    judgeable = ConversationLedger(engine).by_seq(HeldOutSeqs(engine, RULES).newest(9, since=1))
    assert [conversation.conversation_id for conversation in judgeable] == ["twin", "new"]


def test_feedback_waits_for_its_conversation_and_not_for_ever(read: Read, engine: Engine) -> None:
    intake, keep = IntakeLedger(engine, window_size=20), some_retention(feedback_days=30)
    intake.record(a_batch([a_conversation(0)], feedback=[a_feedback(1, "c0"), a_feedback(2, "never")]))
    retention = ConversationRetention(engine, lambda: keep)

    assert retention.prune_feedback(NOW + timedelta(days=29)) == 0
    assert retention.prune_feedback(NOW + timedelta(days=31)) == 1
    assert LedgerCounts(engine).intake().feedback == 1


def judge_all(engine: Engine, explanation: dict[str, object] | None = None) -> None:
    ledger = WindowLedger(engine)
    while (window := ledger.next_to_judge()) is not None:
        reference = ledger.reference()
        assert reference is not None
        row = VerdictRow(
            window=window.number,
            monitor="mmd",
            finding="stable",
            score=1.0,
            threshold=2.0,
            reason="so",
            triggers=True,
        )
        ledger.record_judgement(
            window,
            [row],
            finding="stable",
            reference_id=reference.id,
            explanation=explanation,
            now=NOW,
        )


def history(engine: Engine, keep: RetentionSection, now: datetime = NOW) -> dict[HistoryTable, int]:
    return HistoryRetention(engine, lambda: keep).prune(now, scored=["chat-v1"])


def test_old_windows_go_with_their_verdicts_unless_a_run_came_of_them(read: Read, engine: Engine) -> None:
    ReferenceLedger(engine).start("chat-v0", size=10, after_seq=0, now=NOW)
    read(0, 10 + 6 * 20)
    judge_all(engine)
    decisions, runs = DecisionLedger(engine), RunLedger(engine)
    for number in range(1, 7):
        decided = decisions.decide(
            Decision(
                at=NOW, trigger=Trigger.DRIFT, action=Action.TRAIN, reason="", since_seq=1, window=number
            )
        )
        if number == 1:
            runs.start(a_run("r1", decided.id or 0))

    went = history(engine, some_retention(history=2))

    assert (went["windows"], went["decisions"]) == (3, 3)
    numbers = [judged.window.number for judged in WindowLedger(engine).judged(limit=9)]
    assert numbers == [6, 5, 1]
    assert rows(engine, verdicts.name) == rows(engine, windows.name) == 3


def test_old_triages_go_and_the_windows_and_decisions_that_they_name_with_them(
    read: Read, engine: Engine
) -> None:
    ReferenceLedger(engine).start("chat-v0", size=10, after_seq=0, now=NOW)
    read(0, 10 + 6 * 20)
    judge_all(engine)
    decisions, triages = DecisionLedger(engine), TriageLedger(engine)
    for number in range(1, 7):
        found = a_triage(number)
        triages.record(found)
        decisions.decide(
            Decision(at=NOW, trigger=Trigger.DRIFT, action=Action.NONE, reason="", since_seq=1), triage=found
        )

    first, second = (history(engine, some_retention(history=2)) for _ in range(2))

    assert (first["triages"], first["decisions"], first["windows"]) == (4, 4, 4)
    assert second == {}
    assert [kept.window for kept in triages.newest(9)] == [6, 5]


def test_triages_name_no_conversation_that_is_too_old(read: Read, engine: Engine) -> None:
    ReferenceLedger(engine).start("chat-v0", size=10, after_seq=0, now=NOW)
    read(0, 30)
    judge_all(engine)
    triages = TriageLedger(engine)
    triages.record(a_triage(1))
    assert triages.newest(1)[0].examples == ("c11",)

    history(engine, some_retention(max_age_days=1), NOW + timedelta(days=2))

    assert triages.newest(1)[0].examples == ()


def a_triage(window: int) -> Triage:
    return Triage(
        window=window, reference_id=1, since_seq=11, version="chat-v0", outcome=Outcome.CANT_HELP, reason="",
        numbers={}, examples=("c11",), at=NOW,
    )  # fmt: skip


def a_run(id_: str, decision: int) -> Run:
    return Run(
        id=id_, decision_id=decision, state=RunState.RUNNING, request={}, started_at=NOW, since_seq=1, until_seq=2
    )  # fmt: skip


def test_runs_that_left_no_version_go_and_their_numbers_are_never_used_again(
    read: Read, engine: Engine
) -> None:
    decisions, runs = DecisionLedger(engine), RunLedger(engine)
    for number, state in enumerate((RunState.FINISHED, RunState.FAILED, RunState.FAILED), 1):
        decided = decisions.decide(
            Decision(at=NOW, trigger=None, action=Action.TRAIN, reason="", since_seq=1)
        )
        runs.start(a_run(f"r{number}", decided.id or 0))
        runs.end(f"r{number}", state, now=NOW)

    went = HistoryRetention(engine, some_retention, failed_runs=1).prune(NOW, scored=["chat-v1"])

    assert went["runs"] == 1
    assert [run.id for run in runs.recent(9)] == ["r3", "r1"]
    assert runs.next_number() == 4


def test_published_dead_letters_go_by_number_and_by_age_and_waiting_ones_never(
    read: Read, engine: Engine
) -> None:
    letters = DeadLetterLedger(engine)
    IntakeLedger(engine, window_size=20).record(a_batch(dead_letters=[a_dead_letter(n) for n in range(10)]))
    late = NOW + timedelta(days=31)
    assert history(engine, some_retention(dead_letters=1), now=late) == {}

    letters.mark_published([1, 2, 3, 9, 10], NOW)

    assert history(engine, some_retention(dead_letters=8))["dead_letters"] == 2
    assert history(engine, some_retention(), now=late)["dead_letters"] == 3
    assert len(letters.unpublished(99)) == 5


def test_an_open_halt_stays_however_old(engine: Engine, read: Read) -> None:
    halts = HaltLedger(engine)
    for _ in range(4):
        halts.halt(Halt(kind=HaltKind.OPERATOR, reason="wait", at=NOW))
        halts.resume(by="ada", why="go", now=NOW)
    halts.halt(Halt(kind=HaltKind.OPERATOR, reason="wait", at=NOW))

    assert history(engine, some_retention(history=2))["halts"] == 3
    assert halts.current() is not None


def test_scores_of_versions_that_no_gate_compares_go(read: Read, engine: Engine) -> None:
    read(0, 2)
    signals = SignalLedger(engine)
    signals.add_losses("chat-v0", {1: (1.0, 2)})
    signals.add_losses("chat-v1", {1: (1.0, 2)})

    assert history(engine, some_retention()) == {"scores": 1, "losses": 1}
    assert [one.seq for one in signals.losses("chat-v1", after=0, limit=9)] == [1]


def test_references_that_nothing_is_compared_with_go(read: Read, engine: Engine) -> None:
    ledger = ReferenceLedger(engine)
    for number in range(8):
        ledger.start(f"chat-v{number}", size=10, after_seq=0, now=NOW)

    assert history(engine, some_retention())["reference_sets"] == 3
    assert rows(engine, references.name) == 5


def test_explanations_quote_no_conversation_that_is_too_old(read: Read, engine: Engine) -> None:
    ledger = WindowLedger(engine)
    ReferenceLedger(engine).start("chat-v0", size=10, after_seq=0, now=NOW)
    read(0, 30)
    judge_all(engine, explanation={"examples": ["what somebody said"]})

    history(engine, some_retention(max_age_days=20), now=NOW + timedelta(days=21))

    assert ledger.judged(limit=1)[0].explanation is None


def test_a_rating_of_a_kept_conversation_is_still_its_own(read: Read, engine: Engine) -> None:
    intake = IntakeLedger(engine, window_size=20)
    intake.record(a_batch([a_conversation(0, feedback=Feedback(thumb="up"))]))

    ConversationRetention(engine, lambda: some_retention(feedback_days=0)).prune_feedback(
        NOW + timedelta(days=1)
    )

    assert ConversationLedger(engine).by_seq([1])[0].feedback == 1.0
