"""A ledger as it is after years: made of one small line, its rows repeated."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from daemon.ledger.tables import conversations, runs, verdicts, windows
from registry.codec import promotion_to_json, report_to_json, version_to_json
from registry.history import entry_digest
from registry.names import VersionName
from registry.tables import gate_reports, promotions, versions
from registry.types import PromotionKind
from tests.factories.daemon import LINE, Line

_AT_ONCE = 5_000


def grow(line: Line, *, conversations_to: int, windows_to: int, versions_to: int) -> None:
    """Bring a line with a promoted version to these numbers of rows. Each version was promoted once."""
    with line.stores.engine.begin() as connection:
        _grow_versions(connection, line, versions_to)
        _copy(connection, conversations, conversations_to, key="seq", changed=_conversation)
        size = conversations_to // windows_to
        _copy(connection, windows, windows_to, key="number", changed=lambda _, number: _window(number, size))
        _grow_verdicts(connection, windows_to)


def _grow_versions(connection: Connection, line: Line, count: int) -> None:
    """Add versions, each of a run of its own, judged and promoted after the one before."""
    known = line.stores.versions.versions(LINE)
    last, report = known[-1], line.stores.versions.gate_reports(known[-1].name)[-1]
    entry = line.stores.versions.history(LINE).entries[-1]
    run = connection.execute(select(runs).where(runs.c.id == last.run)).mappings().one()
    rows: dict[Table, list[dict[str, Any]]] = {runs: [], versions: [], gate_reports: [], promotions: []}
    for number in range(last.name.number + 1, count):
        name, at = VersionName(LINE, number), entry.at + timedelta(hours=1)
        version = replace(
            last, name=name, run=f"r{number}", lineage=replace(last.lineage, parent=entry.version)
        )
        entry = replace(
            entry, position=entry.position + 1, kind=PromotionKind.PROMOTION, version=name,
            previous=entry.version, at=at, previous_digest=entry_digest(entry),
        )  # fmt: skip
        key = {"model_line": LINE, "number": number}
        rows[runs].append({**run, "id": f"r{number}"})
        rows[versions].append({**key, "document": version_to_json(version)})
        rows[gate_reports].append(
            {**key, "look": 1, "at": at.isoformat(), "document": report_to_json(report)}
        )
        rows[promotions].append({**key, "position": entry.position, "document": promotion_to_json(entry)})
    for table, values in rows.items():
        connection.execute(insert(table), values)


def _copy(connection: Connection, table: Table, count: int, *, key: str, changed: Any) -> None:
    """Repeat the newest row of a table until its key has reached ``count``."""
    last = connection.execute(select(table).order_by(table.c[key].desc()).limit(1)).mappings().one()
    rows = (dict(last) | {key: number} | changed(last, number) for number in range(last[key] + 1, count + 1))
    while batch := list(islice(rows, _AT_ONCE)):
        connection.execute(insert(table), batch)


def _conversation(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    name = f"{number:064x}"
    return {
        "conversation_id": f"c{number}", "offset": number, "user_hash": f"{number // 10:064x}",
        "group_key": f"{number // 10:064x}", "held_out": number // 10 % 10 == 0, "text_digest": name,
        "record_sha256": name, "conversation_hash": name,
        "version": None if number % 5 == 0 else f"{LINE}-v{number // 100}",
        "feedback": 1.0 if number % 10 == 0 else -1.0 if number % 10 == 1 else None,
    }  # fmt: skip


def _window(number: int, size: int) -> dict[str, Any]:
    return {"first_seq": (number - 1) * size + 1, "last_seq": number * size}


def _grow_verdicts(connection: Connection, count: int) -> None:
    newest = select(verdicts.c.window).order_by(verdicts.c.window.desc()).limit(1).scalar_subquery()
    given = connection.execute(select(verdicts).where(verdicts.c.window == newest)).mappings().all()
    rows: Iterator[dict[str, Any]] = (
        dict(verdict) | {"window": number}
        for number in range(given[0]["window"] + 1, count + 1)
        for verdict in given
    )
    while batch := list(islice(rows, _AT_ONCE)):
        connection.execute(insert(verdicts), batch)
