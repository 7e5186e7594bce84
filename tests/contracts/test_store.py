"""What every Store promises. A new store is one more entry of STORES."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, create_engine, delete, event, select, update

from registry.codec import BadDocument
from registry.history import BrokenChain, LogStep, entry_digest, verify
from registry.orders import Order, OrderKind
from registry.sql import SqlStore
from registry.store import Ancestry, Conflict, Store, VersionExists, VersionNotFound
from registry.tables import metadata, promotions, versions
from registry.types import GateVerdict, Promotion
from tests.factories.registry import LINE, NOW, OPERATOR, a_history, a_report, a_step, a_version, v
from tests.fakes.registry import MemoryStore
from tests.servers.postgres_server import PostgresServer


@contextmanager
def engine_on(database: str) -> Iterator[Engine]:
    engine = create_engine(database)
    try:
        metadata.create_all(engine)
        yield engine
    finally:
        engine.dispose()


@contextmanager
def in_database(database: str) -> Iterator[Store]:
    with engine_on(database) as engine:
        yield SqlStore(engine)


STORES = ("memory", "sqlite", "postgresql")


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    with ExitStack() as opened:
        database = f"sqlite:///{tmp_path / 'registry.db'}"
        if request.param == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres")
            database = opened.enter_context(server.database())
        yield opened.enter_context(in_database(database))


def with_versions(store: Store, *numbers: int) -> Store:
    for number in numbers:
        store.add_version(a_version(number))
    return store


def promoted(store: Store, *steps: str) -> None:
    """Append what steps such as "0", "3", "back" lead to."""
    for step in steps:
        history = store.history(LINE)
        store.append(a_step(history, step), expected=history.position)


def test_a_version_is_read_as_it_was_added(store: Store) -> None:
    version = a_version(3)
    store.add_version(version)

    assert store.version(v(3)) == version
    assert list(store.versions(LINE)) == [version]


def test_the_bare_base_is_a_version(store: Store) -> None:
    store.add_version(a_version(0))

    assert store.version(v(0)) == a_version(0)


def test_a_time_is_the_same_moment_whatever_zone_it_was_given_in(store: Store) -> None:
    version = replace(a_version(3), created_at=NOW.astimezone(timezone(timedelta(hours=8))))
    store.add_version(version)

    assert store.version(v(3)).created_at == NOW


def test_a_name_is_never_reused(store: Store) -> None:
    store.add_version(a_version(3))

    with pytest.raises(VersionExists, match="support-bot-v3"):
        store.add_version(replace(a_version(3), digest="f" * 64))
    assert store.version(v(3)) == a_version(3)


def test_a_missing_version_is_named_with_what_there_is(store: Store) -> None:
    with_versions(store, 0, 1)

    with pytest.raises(VersionNotFound, match=r"support-bot-v7.*v0, v1"):
        store.version(v(7))


def test_versions_come_in_order_of_their_numbers(store: Store) -> None:
    with_versions(store, 10, 2, 9)

    assert [version.name.number for version in store.versions(LINE)] == [2, 9, 10]


def test_numbers_begin_at_0_and_go_on_after_the_highest(store: Store) -> None:
    assert store.next_number(LINE) == 0

    with_versions(store, 0, 10)

    assert store.next_number(LINE) == 11


def test_a_line_does_not_see_anothers_versions(store: Store) -> None:
    store.add_version(a_version(4, line="other"))

    assert list(store.versions(LINE)) == []
    assert store.next_number(LINE) == 0


def test_a_new_line_has_an_empty_history(store: Store) -> None:
    assert store.history(LINE).entries == ()
    assert store.history(LINE).live is None


def test_the_log_is_read_as_it_was_written(store: Store) -> None:
    with_versions(store, 0, 1, 2)
    promoted(store, "0", "1", "2", "back")

    assert store.history(LINE) == a_history("0", "1", "2", "back")
    assert store.history(LINE).live == v(1)
    verify(store.history(LINE))


def test_the_steps_of_the_log_are_its_rollbacks_and_outlines_of_the_rest(store: Store) -> None:
    with_versions(store, 0, 1, 2, 3)
    promoted(store, "0", "1", "2", "back")
    forced = replace(a_step(store.history(LINE), "3"), by=OPERATOR)
    store.append(forced, expected=4)

    assert list(store.steps(LINE)) == [
        LogStep(1, v(0), automatic=False),
        LogStep(2, v(1), automatic=True),
        LogStep(3, v(2), automatic=True),
        store.history(LINE).entries[3],
        LogStep(5, v(3), automatic=False),
    ]
    assert list(store.steps("other")) == []


def test_steps_are_read_again_with_what_came_since(store: Store) -> None:
    with_versions(store, 0, 1, 2)
    promoted(store, "0", "1")
    assert len(store.steps(LINE)) == 2

    promoted(store, "2", "back")

    assert [step.position for step in store.steps(LINE)] == [1, 2, 3, 4]
    assert store.steps(LINE)[3] == store.history(LINE).entries[3]


def test_digests_survive_the_store(store: Store) -> None:
    with_versions(store, 0, 1)
    promoted(store, "0", "1")

    written = [entry_digest(entry) for entry in a_history("0", "1").entries]
    assert [entry_digest(entry) for entry in store.history(LINE).entries] == written


def test_second_writer_at_the_same_position_is_refused(store: Store) -> None:
    with_versions(store, 0, 1, 2)
    promoted(store, "0")
    seen = store.history(LINE)
    store.append(a_step(seen, "1"), expected=1)

    with pytest.raises(Conflict):
        store.append(a_step(seen, "2"), expected=1)
    assert store.history(LINE) == a_history("0", "1")


def test_a_writer_ahead_of_the_log_is_refused(store: Store) -> None:
    with_versions(store, 0, 1)

    with pytest.raises(Conflict):
        store.append(a_step(a_history("0"), "1"), expected=1)


def test_an_entry_with_another_past_is_refused(store: Store) -> None:
    with_versions(store, 0, 1)
    promoted(store, "0")
    entry = replace(a_step(store.history(LINE), "1"), previous_digest="0" * 64)

    with pytest.raises(BrokenChain, match="entry 2"):
        store.append(entry, expected=1)
    assert store.history(LINE).position == 1


def test_an_entry_at_another_position_than_the_next_is_refused(store: Store) -> None:
    with_versions(store, 0, 1)
    promoted(store, "0")
    entry = replace(a_step(store.history(LINE), "1"), position=5)

    with pytest.raises(BrokenChain):
        store.append(entry, expected=1)


def test_a_version_that_is_not_registered_is_never_live(store: Store) -> None:
    with_versions(store, 0)
    promoted(store, "0")

    with pytest.raises(VersionNotFound, match="support-bot-v1"):
        store.append(a_step(store.history(LINE), "1"), expected=1)
    assert store.history(LINE).live == v(0)


def test_lines_have_logs_of_their_own(store: Store) -> None:
    with_versions(store, 0)
    store.add_version(a_version(0, line="other"))
    promoted(store, "0")
    store.append(a_history("0", line="other").entries[0], expected=0)

    assert store.history("other").live == v(0, "other")
    assert store.history(LINE).position == 1


def test_gate_reports_come_in_order_of_their_looks(store: Store) -> None:
    with_versions(store, 1)
    looks = [a_report(GateVerdict.INCONCLUSIVE), a_report(GateVerdict.INCONCLUSIVE, look=2), a_report(look=3)]
    for report in looks:
        store.add_gate_report(v(1), report, at=NOW)

    assert list(store.gate_reports(v(1))) == looks


def test_a_report_with_infinite_bounds_survives(store: Store) -> None:
    with_versions(store, 1)
    found = replace(a_report().slices[0], lower=-math.inf, upper=math.inf)
    report = replace(a_report(), slices=(found,), against=v(0))
    store.add_gate_report(v(1), report, at=NOW)

    assert list(store.gate_reports(v(1))) == [report]


def test_a_look_is_recorded_once(store: Store) -> None:
    with_versions(store, 1)
    store.add_gate_report(v(1), a_report(GateVerdict.REJECT), at=NOW)

    with pytest.raises(Conflict, match="look 1"):
        store.add_gate_report(v(1), a_report(), at=NOW)
    assert store.gate_reports(v(1))[-1].verdict is GateVerdict.REJECT


def test_reports_on_a_version_that_is_not_registered_are_refused(store: Store) -> None:
    with pytest.raises(VersionNotFound):
        store.add_gate_report(v(1), a_report(), at=NOW)


def test_a_version_without_reports_has_none(store: Store) -> None:
    with_versions(store, 1, 2)
    store.add_gate_report(v(2), a_report(), at=NOW)

    assert list(store.gate_reports(v(1))) == []


def an_order(number: int, kind: OrderKind = OrderKind.HOLD, subject: str | None = None) -> Order:
    return Order(
        model_line=LINE, number=number, kind=kind, subject=subject, reason="审计 😀", by=OPERATOR, at=NOW, promotions=1
    )  # fmt: skip


def test_a_new_line_has_no_orders(store: Store) -> None:
    assert store.orders(LINE).orders == ()
    assert store.orders(LINE).number == 0


def test_orders_are_read_as_they_were_given(store: Store) -> None:
    orders = (an_order(1), an_order(2, OrderKind.REJECT, "support-bot-v3"), an_order(3, OrderKind.UNHOLD))
    for order in orders:
        store.add_order(order)
        assert store.orders(LINE).number == order.number

    assert store.orders(LINE).orders == orders


@pytest.mark.parametrize("number", [1, 3])
def test_an_order_must_have_the_next_number(store: Store, number: int) -> None:
    store.add_order(an_order(1))

    with pytest.raises(Conflict):
        store.add_order(an_order(number, OrderKind.PAUSE))
    assert store.orders(LINE).orders == (an_order(1),)


def test_lines_have_orders_of_their_own(store: Store) -> None:
    store.add_order(replace(an_order(1), model_line="other"))

    assert store.orders(LINE).orders == ()


def test_an_entry_that_was_decided_before_an_order_is_refused(store: Store) -> None:
    with_versions(store, 0, 1)
    promoted(store, "0")
    entry = a_step(store.history(LINE), "1")
    store.add_order(an_order(1))

    with pytest.raises(Conflict):
        store.append(entry, expected=1, orders=0)
    assert store.history(LINE).position == 1

    store.append(entry, expected=1, orders=1)
    assert store.history(LINE).live == v(1)


def test_an_entry_that_no_order_could_forbid_is_appended_whatever_was_ordered(store: Store) -> None:
    with_versions(store, 0, 1)
    promoted(store, "0", "1")
    store.add_order(an_order(1))

    store.append(a_step(store.history(LINE), "back"), expected=2)

    assert store.history(LINE).live == v(0)


# What a database adds: it outlives the process, is shared, and may be damaged.


def test_everything_outlives_the_process(database: str) -> None:
    with in_database(database) as store:
        with_versions(store, 0, 1)
        promoted(store, "0", "1")
        store.add_gate_report(v(1), a_report(), at=NOW)
        store.add_order(an_order(1))

    with in_database(database) as again:
        assert list(again.versions(LINE)) == [a_version(0), a_version(1)]
        assert again.history(LINE) == a_history("0", "1")
        assert list(again.gate_reports(v(1))) == [a_report()]
        assert again.orders(LINE).orders == (an_order(1),)


def test_an_order_that_another_process_gave_is_seen(database: str) -> None:
    with in_database(database) as ours, in_database(database) as theirs:
        ours.add_order(an_order(1))
        theirs.add_order(an_order(2, OrderKind.UNHOLD))
        assert ours.orders(LINE).number == 2


def test_a_version_that_another_process_added_is_seen(database: str) -> None:
    with in_database(database) as ours, in_database(database) as theirs:
        with_versions(ours, 0)
        assert len(ours.versions(LINE)) == 1
        with_versions(theirs, 1)

        assert list(ours.versions(LINE)) == [a_version(0), a_version(1)]


def test_of_two_writers_at_once_exactly_one_is_let_through(database: str) -> None:
    with in_database(database) as store, in_database(database) as other:
        with_versions(store, 0, 1, 2)
        promoted(store, "0")
        for _ in range(10):
            history = store.history(LINE)
            entry = a_step(history, "1" if history.live != v(1) else "2")
            outcomes = race(
                {store: entry, other: replace(entry, reason="另一个人先到")}, expected=history.position
            )

            assert sorted(outcomes) == ["conflict", "written"]
            assert store.history(LINE).position == history.position + 1
        verify(store.history(LINE))


def race(entries: dict[Store, Promotion], *, expected: int) -> list[str]:
    """Let each store append its entry, all at the same moment; return how each fared."""
    start = Barrier(len(entries), timeout=30)
    outcomes: list[str] = []

    def write(store: Store, entry: Promotion) -> None:
        start.wait()
        try:
            store.append(entry, expected=expected)
            outcomes.append("written")
        except Conflict:
            outcomes.append("conflict")

    threads = [Thread(target=write, args=each) for each in entries.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


def test_the_key_decides_between_writers_that_both_looked_before_either_wrote(database: str) -> None:
    with engine_on(database) as engine, in_database(database) as first:
        second = SqlStore(engine)
        with_versions(second, 0, 1, 2)
        promoted(second, "0")
        history = second.history(LINE)

        def overtake(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("INSERT INTO promotions"):
                first.append(a_step(history, "1"), expected=1)

        event.listen(engine, "before_cursor_execute", overtake)
        with pytest.raises(Conflict):
            second.append(a_step(history, "2"), expected=1)

        assert first.history(LINE) == a_history("0", "1")


def test_a_damaged_document_is_refused_where_it_is_read(database: str) -> None:
    with engine_on(database) as engine:
        with_versions(SqlStore(engine), 3)
        with engine.begin() as connection:
            connection.execute(update(versions).values(document={"name": "support-bot-v3"}))

        with pytest.raises(BadDocument, match=r"version\.run: Field required"):
            SqlStore(engine).version(v(3))


def test_an_altered_entry_breaks_the_chain(database: str) -> None:
    with engine_on(database) as engine:
        store = SqlStore(engine)
        with_versions(store, 0, 1, 2)
        promoted(store, "0", "1", "2")
        with engine.begin() as connection:
            second = promotions.c.position == 2
            document = connection.scalars(select(promotions.c.document).where(second)).one()
            connection.execute(
                update(promotions).where(second).values(document={**document, "reason": "worse"})
            )

        with pytest.raises(BrokenChain, match="entry 3"):
            verify(store.history(LINE))
        with pytest.raises(BrokenChain, match="entry 3"):
            store.verify(LINE)


@pytest.mark.parametrize(
    ("document", "said"),
    [({}, "entry 2 .*'previous'"), ({"previous": 7}, "entry 2 "), ([], "entry 2 "), ("no", "entry 2 ")],
)
def test_a_document_that_is_no_entry_is_named(database: str, document: object, said: str) -> None:
    with engine_on(database) as engine:
        store = SqlStore(engine)
        with_versions(store, 0, 1, 2)
        promoted(store, "0", "1", "2")
        with engine.begin() as connection:
            second = promotions.c.position == 2
            connection.execute(update(promotions).where(second).values(document=document))

        with pytest.raises(BadDocument, match=said):
            store.verify(LINE)


def test_a_removed_entry_is_missed_in_its_place(database: str) -> None:
    with engine_on(database) as engine:
        store = SqlStore(engine)
        with_versions(store, 0, 1, 2)
        promoted(store, "0", "1", "2")
        with engine.begin() as connection:
            connection.execute(delete(promotions).where(promotions.c.position == 2))

        with pytest.raises(BrokenChain, match="entry 2 is missing or out of place"):
            store.verify(LINE)


def test_a_whole_log_is_verified_and_read_in_parts(store: Store) -> None:
    with_versions(store, 0, 1, 2)
    promoted(store, "0", "1", "back", "2", "back 0")

    store.verify(LINE)
    store.verify("another-line")
    assert list(store.promotions_between(LINE, 2, 3)) == list(store.history(LINE).entries[1:3])
    assert list(store.promotions_between(LINE, 5, 9)) == list(store.history(LINE).entries[4:])


def test_the_newest_versions_can_be_read_alone(store: Store) -> None:
    with_versions(store, 0, 1, 2, 3)

    assert [version.name.number for version in store.versions(LINE, newest=2)] == [2, 3]
    assert [version.name.number for version in store.versions(LINE)] == [0, 1, 2, 3]
    assert [version.name.number for version in store.versions(LINE, newest=9)] == [0, 1, 2, 3]


def test_ancestry_tells_run_and_parent_of_every_version(store: Store) -> None:
    with_versions(store, 0, 1, 2)

    assert store.ancestry(LINE) == [
        Ancestry(v(0), None, None), Ancestry(v(1), "run-1", None), Ancestry(v(2), "run-2", v(1))
    ]  # fmt: skip


def test_entries_can_be_read_by_version_and_by_position(store: Store) -> None:
    with_versions(store, 0, 1, 2)
    promoted(store, "0", "1", "2", "back")
    entries = store.history(LINE).entries

    assert store.newest_promotion(LINE) == entries[-1]
    assert store.newest_promotion("other") is None
    assert list(store.promotions_of(v(1))) == [entries[1], entries[3]]
    assert list(store.promotions_at(LINE, {2, 5})) == [entries[1]]


def test_the_last_verdict_on_each_version_is_read_at_once(store: Store) -> None:
    with_versions(store, 0, 1, 2)
    store.add_gate_report(v(1), a_report(GateVerdict.INCONCLUSIVE), at=NOW)
    store.add_gate_report(v(1), a_report(GateVerdict.REJECT, look=2), at=NOW)

    assert store.gate_verdicts([v(1), v(2)]) == {v(1): GateVerdict.REJECT}
    assert store.gate_verdicts([]) == {}


def test_a_log_that_was_read_before_shows_what_others_add_and_what_a_backup_brings_back(
    database: str,
) -> None:
    with engine_on(database) as engine, in_database(database) as other:
        store = SqlStore(engine)
        with_versions(store, 0, 1, 2)
        promoted(store, "0", "1")
        assert store.history(LINE) == a_history("0", "1")
        promoted(other, "2")
        assert store.history(LINE) == a_history("0", "1", "2")

        with engine.begin() as connection:  # an older backup, and another entry since
            connection.execute(delete(promotions).where(promotions.c.position > 1))
        assert store.history(LINE) == a_history("0")
        store.append(a_step(a_history("0"), "2"), expected=1)
        assert store.history(LINE) == a_history("0", "2")
