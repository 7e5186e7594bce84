"""The registry's database tables, which are part of the daemon's ledger."""

from sqlalchemy import (
    JSON,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
)

metadata = MetaData()

versions = Table(
    "versions",
    metadata,
    Column("model_line", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("model_line", "number", name="versions_once"),
)

promotions = Table(
    "promotions",
    metadata,
    Column("model_line", String(63), nullable=False),
    Column("position", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("model_line", "position", name="promotions_once"),
    ForeignKeyConstraint(
        ["model_line", "number"], ["versions.model_line", "versions.number"], name="promotions_version"
    ),
    Index("promotions_by_version", "model_line", "number", "position"),
)

gate_reports = Table(
    "gate_reports",
    metadata,
    Column("model_line", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("look", Integer, nullable=False),
    Column("at", String(32), nullable=False),
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("model_line", "number", "look", name="gate_reports_once"),
    ForeignKeyConstraint(
        ["model_line", "number"], ["versions.model_line", "versions.number"], name="gate_reports_version"
    ),
)

operator_orders = Table(
    "operator_orders",
    metadata,
    Column("model_line", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("model_line", "number", name="operator_orders_once"),
)
