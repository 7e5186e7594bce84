"""A condition for many values that takes a single parameter, so that statements do not grow with their number."""

from collections.abc import Collection, Iterable
from typing import Any

import orjson
from sqlalchemy import ARRAY, ColumnElement, Connection, any_, bindparam, func, select, tuple_


def in_values(
    connection: Connection, column: ColumnElement[Any], values: Iterable[str | int]
) -> ColumnElement[bool]:
    """Return the condition that a column has one of these values."""
    listed = list(values)
    if connection.dialect.name == "sqlite":
        each = func.json_each(bindparam(None, orjson.dumps(listed).decode())).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(bindparam(None, listed, type_=ARRAY(column.type)))


def in_pairs(
    connection: Connection,
    columns: tuple[ColumnElement[Any], ColumnElement[Any]],
    pairs: Collection[tuple[int, int]],
) -> ColumnElement[bool]:
    """Return the condition that two columns together have one of these pairs of values."""
    if connection.dialect.name == "sqlite":
        each = func.json_each(bindparam(None, orjson.dumps(list(pairs)).decode())).table_valued("value")
        listed = select(func.json_extract(each.c.value, "$[0]"), func.json_extract(each.c.value, "$[1]"))
    else:
        halves = zip(columns, zip(*pairs, strict=True), strict=True)
        arrays = (bindparam(None, list(half), type_=ARRAY(column.type)) for column, half in halves)
        listed = select(*map(func.unnest, arrays))
    return tuple_(*columns).in_(listed)
