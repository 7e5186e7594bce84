"""What the lease promises, on both databases."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, func, select

from daemon.domain.errors import StaleLeader
from daemon.domain.process_identity import ProcessIdentity
from daemon.ledger.database import connect, fenced, reader
from daemon.ledger.decisions import DecisionLedger
from daemon.ledger.lease import Lease, lease_of
from registry.sql import SqlStore
from registry.tables import versions
from tests.factories.ledger import NOW
from tests.factories.registry import LINE, a_version
from tests.support.faults import Fault, Kind, watched

TTL_S = 15.0
ELSEWHERE = ProcessIdentity(host="elsewhere", machine="another boot", pid=1, started=0.0)


class Clock:
    """A monotonic clock of one replica."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def other(database: str) -> Iterator[Engine]:
    """The connections of another replica."""
    made = connect(database)
    yield made
    made.dispose()


class Replica:
    """One that contends for the lease."""

    def __init__(
        self, engine: Engine, pid: int, *, clock: float, holder: ProcessIdentity = ELSEWHERE
    ) -> None:
        self.clock = Clock(clock)
        self.lease = Lease(engine, replace(holder, pid=pid), ttl_s=TTL_S, clock=self.clock)

    def acquire_or_renew(self, after_s: float = 0.0) -> int | None:
        self.clock.now += after_s
        return self.lease.acquire_or_renew()


@pytest.fixture
def first(engine: Engine) -> Replica:
    return Replica(engine, 1, clock=0)


@pytest.fixture
def second(engine: Engine, other: Engine) -> Replica:
    """Its clock shows something else entirely."""
    return Replica(other, 2, clock=1_000_000)


def test_of_two_replicas_one_leads(first: Replica, second: Replica) -> None:
    assert first.acquire_or_renew() == 1
    assert second.acquire_or_renew() is None


def test_a_leader_that_renews_keeps_the_lease(first: Replica, second: Replica) -> None:
    for _ in range(20):
        assert first.acquire_or_renew(5) == 1
        assert second.acquire_or_renew(5) is None


def test_a_leader_that_falls_silent_is_replaced_after_the_ttl(first: Replica, second: Replica) -> None:
    first.acquire_or_renew()
    second.acquire_or_renew()

    assert second.acquire_or_renew(14.9) is None
    assert second.acquire_or_renew(0.1) == 2


def test_a_leader_that_slept_steps_down_by_its_own_clock(first: Replica) -> None:
    first.acquire_or_renew()

    assert first.acquire_or_renew(15) is None


def test_a_leader_whose_renewal_comes_too_late_steps_down(first: Replica, second: Replica) -> None:
    first.acquire_or_renew()
    second.acquire_or_renew()
    second.acquire_or_renew(15)

    assert first.acquire_or_renew(5) is None
    assert second.acquire_or_renew(1) == 2


def test_a_lease_that_was_given_back_is_taken_at_once(first: Replica, second: Replica) -> None:
    first.acquire_or_renew()
    second.acquire_or_renew()

    first.lease.release()

    assert second.acquire_or_renew() == 2


def test_of_two_that_try_to_succeed_one_does(first: Replica, second: Replica, engine: Engine) -> None:
    first.acquire_or_renew()
    third = Replica(engine, 3, clock=7)
    for replica in (second, third):
        replica.acquire_or_renew()

    assert [second.acquire_or_renew(15), third.acquire_or_renew(15)] == [2, None]


def test_a_process_of_this_machine_that_ended_is_succeeded_at_once(engine: Engine, other: Engine) -> None:
    this = ProcessIdentity.this_process()
    before = Replica(engine, this.pid, clock=0, holder=replace(this, started=this.started - 100))
    before.acquire_or_renew()

    assert Replica(other, this.pid, clock=0, holder=this).acquire_or_renew() == 2


def test_a_process_of_this_machine_that_lives_is_waited_for(engine: Engine, other: Engine) -> None:
    this = ProcessIdentity.this_process()
    Replica(engine, this.pid, clock=0, holder=this).acquire_or_renew()

    assert Replica(other, 2, clock=0).acquire_or_renew() is None


def test_the_ledger_says_who_leads(first: Replica, engine: Engine) -> None:
    assert lease_of(engine) is None
    first.acquire_or_renew()

    held = lease_of(engine)
    assert held is not None
    assert (held.holder, held.fence) == (ELSEWHERE, 1)


def test_a_stale_leader_can_write_nothing(first: Replica, second: Replica, engine: Engine) -> None:
    ours = fenced(engine, first.acquire_or_renew() or 0)
    decisions, store = DecisionLedger(ours), SqlStore(ours, reads=reader(ours))
    decisions.request_training(by="me", reason="while it leads", now=NOW)
    second.acquire_or_renew()
    second.acquire_or_renew(15)

    with pytest.raises(StaleLeader, match="fencing token 2"):
        decisions.request_training(by="me", reason="too late", now=NOW)
    with pytest.raises(StaleLeader):
        store.add_version(a_version(1))

    wish = decisions.open_request()
    assert wish is not None
    assert wish.reason == "while it leads"
    assert list(store.versions(LINE)) == []
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(versions)) == 0


@pytest.mark.parametrize("kind", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["lease.first", "lease.take", "lease.renew", "lease.release"])
def test_a_fault_at_the_lease_never_leaves_two_leaders(
    step: str, moment: str, kind: Kind, first: Replica, second: Replica, engine: Engine
) -> None:
    def lead() -> None:
        first.acquire_or_renew()
        first.acquire_or_renew(5)
        first.lease.release()

    with watched(Fault(step, moment, kind)), pytest.raises(OSError, match=kind):
        lead()
    number = first.lease.acquire_or_renew() or 0  # what it believes, if it goes on at all

    assert second.acquire_or_renew() or second.acquire_or_renew(TTL_S)
    with pytest.raises(StaleLeader):
        DecisionLedger(fenced(engine, number)).request_training(by="first", reason="", now=NOW)
