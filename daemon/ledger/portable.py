"""Writes the rows of a ledger in a form that SQLite and PostgreSQL both read, and reads them back.

A table is JSON Lines: first its columns as ``[[name, kind], ...]``, then one array a row. A value of the kind ``json`` is
the text of the document, as it is stored; one of the kind ``bytes`` is base64; all others are JSON values.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, count, islice
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    cast,
    func,
    insert,
    inspect,
    literal_column,
    select,
    update,
)

from daemon.domain.errors import LedgerError
from daemon.ledger.schema import VERSION_TABLE, migrate
from daemon.ledger.tables import LEADER, lease
from daemon.ledger.tables import metadata as of_the_daemon
from registry.tables import metadata as of_the_registry

_ROWS = 1_000  # that are in memory at once


class BadRows(LedgerError):
    """Rows do not fit the table that they name."""


def has_tables(connection: Connection) -> bool:
    """Return whether the database holds a ledger."""
    return bool(table_names(connection))


def count_rows(connection: Connection) -> Mapping[str, int]:
    """Return the number of rows in each table."""
    return {
        table.name: connection.scalar(select(func.count()).select_from(table)) or 0
        for table in _reflected(connection).sorted_tables
    }


def read_tables(connection: Connection) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the name and the lines of each table. The lines of one are to be read before the next."""
    for table in _reflected(connection).sorted_tables:
        yield table.name, _lines(connection, table)


def write_tables(connection: Connection, tables: Mapping[str, Iterable[bytes]], *, revision: str) -> None:
    """Create the schema of a revision in an empty database, write the rows and upgrade to this release's schema.

    Nobody holds the lease afterwards. Raises BadRows, and LedgerError for an unknown revision.
    """
    fill_tables(connection, tables, revision=revision)
    finish_tables(connection)


def fill_tables(connection: Connection, tables: Mapping[str, Iterable[bytes]], *, revision: str) -> None:
    """Create the schema of a revision in an empty database, and write the rows.

    Raises BadRows, and LedgerError for an unknown revision.
    """
    migrate(connection, revision)
    present = _reflected(connection)
    unknown = set(tables) - set(present.tables)
    if unknown:
        raise BadRows(f"the rows are of tables that schema {revision} has not: {', '.join(sorted(unknown))}")
    for table in present.sorted_tables:
        _fill(connection, table, iter(tables.get(table.name, ())))


def finish_tables(connection: Connection) -> None:
    """Upgrade what was filled to this release's schema. Nobody holds the lease afterwards."""
    migrate(connection)
    connection.execute(
        update(lease).where(lease.c.name == LEADER).values(holder=None, fence=lease.c.fence + 1)
    )


def set_aside(connection: Connection, wanted: str) -> str:
    """Move the ledger's tables on PostgreSQL into a new schema, with all that belongs to them; return its name."""
    taken = set(inspect(connection).get_schema_names())
    schema = next(
        name for name in chain([wanted], map(f"{wanted}_{{}}".format, count(2))) if name not in taken
    )
    quoted = connection.dialect.identifier_preparer.quote
    connection.exec_driver_sql(f"CREATE SCHEMA {quoted(schema)}")
    for name in table_names(connection):
        connection.exec_driver_sql(f"ALTER TABLE {quoted(name)} SET SCHEMA {quoted(schema)}")
    return schema


def table_names(connection: Connection) -> list[str]:
    """Return the tables that belong to the ledger; a database on a server may have others."""
    ours = {*of_the_daemon.tables, *of_the_registry.tables, VERSION_TABLE}
    return [name for name in inspect(connection).get_table_names() if name in ours]


def _reflected(connection: Connection) -> MetaData:
    """Return the tables as they are, which may be those of an earlier release."""
    found = MetaData()
    found.reflect(connection, only=[name for name in table_names(connection) if name != VERSION_TABLE])
    return found


def _kind(column: Column[Any]) -> str:
    if isinstance(column.type, JSON):
        return "json"
    return "bytes" if isinstance(column.type, LargeBinary) else "value"


def _lines(connection: Connection, table: Table) -> Iterator[bytes]:
    columns = list(table.columns)
    kinds = [_kind(column) for column in columns]
    yield _line([[column.name, kind] for column, kind in zip(columns, kinds, strict=True)])
    read: list[ColumnElement[Any]] = [
        cast(column, Text) if kind == "json" else column for column, kind in zip(columns, kinds, strict=True)
    ]
    query = select(*read).order_by(*table.primary_key.columns).execution_options(yield_per=_ROWS)
    encoders = [_ENCODERS.get(kind, _as_it_is) for kind in kinds]
    for row in connection.execute(query):
        yield _line([encode(value) for encode, value in zip(encoders, row, strict=True)])


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _as_it_is(value: Any) -> Any:
    return value


def _to_base64(value: Any) -> Any:
    return None if value is None else base64.b64encode(value).decode()


def _from_base64(value: Any) -> Any:
    return None if value is None else base64.b64decode(value, validate=True)


_ENCODERS: Mapping[str, Callable[[Any], Any]] = {"bytes": _to_base64}
_DECODERS: Mapping[str, Callable[[Any], Any]] = {"bytes": _from_base64}


def _fill(connection: Connection, table: Table, lines: Iterator[bytes]) -> None:
    """Write the lines of one table."""
    first = next(lines, None)
    if first is None:
        return
    header: list[tuple[str, str]] = [(name, kind) for name, kind in json.loads(first)]
    wanted = {(column.name, _kind(column)) for column in table.columns}
    if set(header) != wanted:
        raise BadRows(f"the columns of {table.name} are not those of its schema")
    statement = insert(table).values({name: _bound(connection, table.c[name]) for name, _ in header})
    decoders = [(name, _DECODERS.get(kind, _as_it_is)) for name, kind in header]
    while some := list(islice(lines, _ROWS)):
        rows = [
            {name: decode(value) for (name, decode), value in zip(decoders, json.loads(line), strict=True)}
            for line in some
        ]
        connection.execute(statement, rows)
    _number_on(connection, table)


def _bound(connection: Connection, column: Column[Any]) -> ColumnElement[Any]:
    """Return the parameter of a column. The text of a document is stored as it is."""
    if _kind(column) != "json":
        return bindparam(column.name, type_=column.type)
    text: ColumnElement[Any] = bindparam(column.name, type_=Text())
    return cast(text, JSON) if connection.dialect.name == "postgresql" else text


def _number_on(connection: Connection, table: Table) -> None:
    """Have PostgreSQL number new rows after those that were written; SQLite does it by itself."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        if isinstance(column.type, Integer) and connection.scalar(select(sequence)) is not None:
            newest = select(func.max(column)).scalar_subquery()
            value = func.coalesce(newest, literal_column("1"))
            connection.execute(select(func.setval(sequence, value, newest.is_not(None))))
