"""A condition for many values that takes a single parameter, so that statements do not grow with their number."""

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import ARRAY, ColumnElement, Connection, any_, bindparam, func, select


def in_values(
    connection: Connection, column: ColumnElement[Any], values: Iterable[str | int]
) -> ColumnElement[bool]:
    """Return the condition that a column has one of these values."""
    listed = list(values)
    if connection.dialect.name == "sqlite":
        each = func.json_each(bindparam(None, orjson.dumps(listed).decode())).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(bindparam(None, listed, type_=ARRAY(column.type)))
