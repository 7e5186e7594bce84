"""Asks the database for many values at once, by one parameter: no statement grows with the number of values."""

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import ARRAY, ColumnElement, Connection, any_, bindparam, func, select


def in_values(
    connection: Connection, column: ColumnElement[Any], values: Iterable[str | int]
) -> ColumnElement[bool]:
    """Say that a column has one of these texts, or one of these whole numbers."""
    wanted = list(values)
    if connection.dialect.name == "sqlite":
        each = func.json_each(bindparam(None, orjson.dumps(wanted).decode())).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(bindparam(None, wanted, type_=ARRAY(column.type)))
