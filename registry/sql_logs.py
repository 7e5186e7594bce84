"""Reads the promotion log in a SQL database as views need it: only the rollbacks whole."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from registry.names import VersionName
from registry.tables import promotions
from registry.types import PromotionKind


class StepRow(NamedTuple):
    """What the database tells of an entry without the whole document being read."""

    position: int
    version: VersionName
    rollback: bool
    automatic: bool


def step_rows(connection: Connection, model_line: str, *, after: int) -> Sequence[StepRow]:
    """Return a row for each entry of a log after a position, oldest first."""
    document, of_line = promotions.c.document, promotions.c.model_line == model_line
    kind, actor = document["kind"].as_string(), document["by", "kind"].as_string()
    query = select(promotions.c.position, promotions.c.number, kind, actor).where(
        of_line & (promotions.c.position > after)
    )
    return [
        StepRow(
            position,
            VersionName(model_line, number),
            kind_name == PromotionKind.ROLLBACK,
            kind_name == PromotionKind.PROMOTION and actor_kind != "operator",
        )
        for position, number, kind_name, actor_kind in connection.execute(
            query.order_by(promotions.c.position)
        )
    ]
