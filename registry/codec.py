"""Versions, promotions and gate reports as plain JSON values, and back."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, cast

from registry.names import VersionName
from registry.types import (
    Actor,
    GateReport,
    GateVerdict,
    Lineage,
    OffsetRange,
    Promotion,
    PromotionKind,
    SliceReport,
    Version,
)

Document = Mapping[str, Any]


def promotion_to_json(entry: Promotion) -> dict[str, Any]:
    """Return an entry as JSON values; times are ISO-8601, UTC."""
    return cast("dict[str, Any]", _plain(entry))


def promotion_from_json(document: Document) -> Promotion:
    """Read what ``promotion_to_json`` wrote."""
    return Promotion(
        **{
            **document,
            "kind": PromotionKind(document["kind"]),
            "version": VersionName.parse(document["version"]),
            "previous": _name(document["previous"]),
            "by": Actor(**document["by"]),
            "at": datetime.fromisoformat(document["at"]),
            "gate": None if document["gate"] is None else report_from_json(document["gate"]),
        }
    )


def report_to_json(report: GateReport) -> dict[str, Any]:
    """Return a gate report as JSON values."""
    return cast("dict[str, Any]", _plain(report))


def report_from_json(document: Document) -> GateReport:
    """Read what ``report_to_json`` wrote."""
    slices = (
        SliceReport(**{**found, "verdict": GateVerdict(found["verdict"])}) for found in document["slices"]
    )
    return GateReport(**{**document, "verdict": GateVerdict(document["verdict"]), "slices": tuple(slices)})


def version_to_json(version: Version) -> dict[str, Any]:
    """Return a version as JSON values."""
    return cast("dict[str, Any]", _plain(version))


def version_from_json(document: Document) -> Version:
    """Read what ``version_to_json`` wrote."""
    return Version(
        **{
            **document,
            "name": VersionName.parse(document["name"]),
            "lineage": _lineage(document["lineage"]),
            "created_at": datetime.fromisoformat(document["created_at"]),
        }
    )


def _lineage(document: Document) -> Lineage:
    return Lineage(
        **{
            **document,
            "parent": _name(document["parent"]),
            "sources": tuple(OffsetRange(**source) for source in document["sources"]),
            "records": tuple((id_, digest) for id_, digest in document["records"]),
        }
    )


def _name(text: str | None) -> VersionName | None:
    return None if text is None else VersionName.parse(text)


def _plain(value: object) -> object:
    if isinstance(value, VersionName):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
