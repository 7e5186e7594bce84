"""An operator's order and a promotion by the daemon at the same moment: the log's transactions decide."""

import threading

import pytest
from sqlalchemy import Engine, event

from daemon.ledger.database import connect, reader
from registry.orders import Order, OrderKind
from registry.sql import SqlStore
from registry.store import Conflict
from tests.factories.registry import LINE, NOW, OPERATOR, a_history, a_step, a_version, v

HOLD = Order(
    model_line=LINE, number=1, kind=OrderKind.HOLD, subject=None, reason="stop", by=OPERATOR, at=NOW, promotions=1
)  # fmt: skip


@pytest.fixture
def store(engine: Engine) -> SqlStore:
    made = SqlStore(engine, reads=reader(engine))
    for number in (0, 1):
        made.add_version(a_version(number))
    made.append(a_history("0").entries[0], expected=0)
    return made


def test_a_hold_that_comes_between_reading_and_writing_is_obeyed(store: SqlStore) -> None:
    history, orders = store.history(LINE), store.orders(LINE)
    store.add_order(HOLD)

    with pytest.raises(Conflict, match="order"):
        store.append(a_step(history, "1"), expected=history.position, orders=orders.number)

    assert store.history(LINE).live == v(0)


def test_a_hold_waits_for_a_promotion_that_is_being_written(
    database: str, engine: Engine, store: SqlStore
) -> None:
    """So nothing is promoted after the command has returned."""
    other = connect(database)
    holder = threading.Thread(target=lambda: SqlStore(other).add_order(HOLD))
    waited: list[bool] = []

    def hold_meanwhile(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO promotions"):
            holder.start()
            holder.join(0.3)
            waited.append(holder.is_alive())

    event.listen(engine, "before_cursor_execute", hold_meanwhile)
    store.append(a_step(store.history(LINE), "1"), expected=1, orders=0)
    holder.join(30)
    other.dispose()

    assert waited == [True]
    assert (store.history(LINE).live, store.orders(LINE).orders) == (v(1), (HOLD,))


def test_of_two_orders_at_once_one_is_first_and_the_other_is_told(database: str, store: SqlStore) -> None:
    other = connect(database)
    stores, start, outcomes = [store, SqlStore(other)], threading.Barrier(2, timeout=30), []

    def give(one: SqlStore) -> None:
        start.wait()
        try:
            one.add_order(HOLD)
            outcomes.append("given")
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=give, args=[one]) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    other.dispose()

    assert sorted(outcomes) == ["conflict", "given"]
    assert store.orders(LINE).orders == (HOLD,)
