"""Statements on the log of orders in a SQL database."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from registry.codec import order_from_json, order_to_json
from registry.orders import Order
from registry.tables import operator_orders, versions


def lock_line(connection: Connection, model_line: str) -> None:
    """Serialise this transaction with all others that append to a log of the line.

    The lock is the row of the line's first version, which never changes. SQLite has a single writer and needs none.
    """
    first = select(versions.c.number).where(versions.c.model_line == model_line).order_by(versions.c.number)
    connection.execute(first.limit(1).with_for_update(key_share=True))


def newest_order(connection: Connection, model_line: str) -> int:
    """Return the number of the newest order; 0 if there is none."""
    of_line = operator_orders.c.model_line == model_line
    return connection.scalar(select(func.max(operator_orders.c.number)).where(of_line)) or 0


def orders_after(connection: Connection, model_line: str, number: int) -> Sequence[Order]:
    """Return the orders with a higher number, oldest first."""
    newer = (operator_orders.c.model_line == model_line) & (operator_orders.c.number > number)
    query = select(operator_orders.c.document).where(newer).order_by(operator_orders.c.number)
    return [order_from_json(document) for document in connection.scalars(query)]


def insert_order(connection: Connection, order: Order) -> None:
    """Insert an order."""
    row = {"model_line": order.model_line, "number": order.number, "document": order_to_json(order)}
    connection.execute(insert(operator_orders), row)
