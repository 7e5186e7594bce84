"""A line of commit 4a31a09 goes on: intake, promotion, rollback, erasure, pruning."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.config.settings import Settings
from daemon.domain.halts import Halt, HaltKind
from daemon.domain.process_identity import ProcessIdentity
from daemon.domain.records import NewConversation
from daemon.erasure.forget import forget, subject_of
from daemon.jobs.files import JobFiles
from daemon.ledger.freezes import FreezeLedger
from daemon.ledger.lease import Lease, lease_of
from daemon.ledger.stores import Stores
from daemon.release.promotion import promote_version, roll_back_version
from daemon.retention.history import HistoryRetention
from registry.history import verify
from registry.taint import Tainted
from tests.compatibility.written import (
    ADA,
    LATER,
    LINE,
    V1,
    V2,
    VALUES,
    clock,
    in_the_ledger,
    kept,
    new_conversations,
)
from tests.factories.ledger import a_batch, a_conversation


def named(stores: Stores, conversation_id: str) -> NewConversation:
    """A conversation of this name at the offset that comes next."""
    (conversation,) = new_conversations(stores, 1)
    return replace(
        conversation,
        conversation=replace(conversation.conversation, conversation_id=conversation_id),
        conversation_hash=stores.holdout.conversation_hash(conversation_id),
    )


def test_new_conversations_are_counted(stores: Stores) -> None:
    assert stores.intake.record(a_batch(new_conversations(stores, 3), at=LATER)).conversations == 3


def test_records_that_were_read_are_not_counted_again(stores: Stores) -> None:
    read = [a_conversation(offset, name=f"new-{offset}", at=LATER) for offset in range(20)]

    assert stores.intake.record(a_batch(read, at=LATER)).conversations == 0


def test_a_conversation_that_retention_let_go_of_is_known(stores: Stores) -> None:
    past = set(in_the_ledger("SELECT conversation_hash FROM past_conversations"))
    gone = next(f"c-{n}" for n in range(300) if stores.holdout.conversation_hash(f"c-{n}") in past)

    assert stores.intake.record(a_batch([named(stores, gone)], at=LATER)).duplicates == 1


def test_a_forgotten_conversation_is_dropped(stores: Stores) -> None:
    buried = set(in_the_ledger("SELECT subject FROM tombstones"))
    gone = next(f"c-{n}" for n in range(300) if stores.holdout.conversation_hash(f"c-{n}") in buried)

    assert stores.intake.record(a_batch([named(stores, gone)], at=LATER)).forgotten == 1


def test_the_window_that_was_open_closes_when_it_is_full(settings: Settings, stores: Stores) -> None:
    last = in_the_ledger("SELECT max(last_seq) FROM windows")[0]
    missing = settings.windows.size - (stores.conversations.last_seq() - last)

    assert stores.intake.record(a_batch(new_conversations(stores, missing), at=LATER)).windows == 1


def test_intake_can_be_halted_and_go_on(stores: Stores) -> None:
    stores.halts.halt(Halt(kind=HaltKind.OPERATOR, reason="a test", at=LATER))

    assert stores.halts.resume(by="ada", why="tested", now=LATER).reason == "a test"


def test_the_reference_is_unfrozen_by_hand(stores: Stores) -> None:
    FreezeLedger(stores.engine).unfreeze(by="ada", now=LATER)

    assert stores.references.frozen() is None


def test_a_version_that_learned_from_what_was_forgotten_is_not_promoted(stores: Stores) -> None:
    with pytest.raises(Tainted):
        promote_version(stores, V2, reason="", force=False, by=ADA, clock=clock)


def test_a_version_is_promoted_by_force(stores: Stores) -> None:
    promote_version(stores, V2, reason="a test", force=True, by=ADA, clock=clock)

    assert stores.target.current() == V2


def test_a_promotion_is_rolled_back(stores: Stores) -> None:
    promote_version(stores, V2, reason="a test", force=True, by=ADA, clock=clock)

    roll_back_version(stores, model_line=LINE, to=None, reason="tested", by=ADA, clock=clock)

    assert stores.target.current() == V1


def test_the_promotion_log_goes_on_from_the_last_digest(stores: Stores) -> None:
    entry = promote_version(stores, V2, reason="a test", force=True, by=ADA, clock=clock)

    assert entry.previous_digest == VALUES["promotion_digests"][-1]


def test_the_promotion_log_stays_whole(stores: Stores) -> None:
    promote_version(stores, V2, reason="a test", force=True, by=ADA, clock=clock)
    roll_back_version(stores, model_line=LINE, to=None, reason="tested", by=ADA, clock=clock)

    verify(stores.versions.history(LINE))


def forget_one_more(stores: Stores, folder: Path) -> None:
    subject = subject_of(stores, user=None, conversation=kept(stores)[-1].conversation_id)
    runs = folder / "state" / "runs"
    jobs = JobFiles((folder / "state" / "artifacts").as_uri(), cache=folder / "state" / "cache")
    forget(stores, subject, model_line=LINE, runs_dir=runs, jobs=jobs, by="ada", why="a test", clock=clock)


def test_the_log_of_erasures_goes_on_from_the_last_digest(stores: Stores, folder: Path) -> None:
    forget_one_more(stores, folder)

    assert stores.erasures.log()[-1].previous_digest == VALUES["erasure_digests"][-1]


def test_the_log_of_erasures_stays_whole(stores: Stores, folder: Path) -> None:
    forget_one_more(stores, folder)

    stores.erasures.verify()


def test_the_next_version_has_the_next_number(stores: Stores) -> None:
    assert stores.versions.next_number(LINE) == 3


def test_the_request_for_a_training_waits_on(stores: Stores) -> None:
    wish = stores.decisions.open_request()

    assert wish is not None
    assert wish.reason == "and again after that"


def test_the_lease_is_taken_over_once_nobody_renews_it(stores: Stores) -> None:
    times = iter((0.0, 100.0))
    other = ProcessIdentity(host="elsewhere", machine="another", pid=1, started=0.0)
    lease = Lease(stores.engine, other, ttl_s=20.0, clock=lambda: next(times))
    before = lease_of(stores.engine)
    assert before is not None

    assert [lease.acquire_or_renew(), lease.acquire_or_renew()] == [None, before.fence + 1]


def test_old_rows_are_pruned(stores: Stores, settings: Settings) -> None:
    went = HistoryRetention(stores.engine, lambda: settings.retention).prune(
        LATER + timedelta(days=400), scored={str(V1)}
    )

    assert went["dead_letters"] == 6  # the last is not published yet
