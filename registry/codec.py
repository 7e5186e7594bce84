"""Versions, promotions and gate reports as plain JSON values, and back. What is read back equals what was written."""

import dataclasses
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import cast

from registry.documents import BadDocument, Fields
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

Document = dict[str, object]


def promotion_to_json(entry: Promotion) -> Document:
    """Return an entry as JSON values. Raises BadDocument where it holds what JSON can't."""
    return cast("Document", _plain(entry, "promotion"))


def promotion_from_json(document: object) -> Promotion:
    """Read what ``promotion_to_json`` wrote. Raises BadDocument."""
    fields = Fields(document, "promotion")
    actor = Fields(fields.take("by"), "promotion.by")
    gate = fields.take("gate")
    entry = Promotion(
        model_line=fields.text("model_line"),
        position=fields.whole("position"),
        kind=fields.one_of("kind", PromotionKind),
        version=fields.version("version"),
        previous=fields.optional("previous", fields.version),
        reason=fields.text("reason"),
        by=Actor(kind=actor.text("kind"), name=actor.text("name")),
        at=fields.time("at"),
        forced=fields.flag("forced"),
        gate=None if gate is None else report_from_json(gate),
        previous_digest=fields.text("previous_digest"),
    )
    actor.end()
    fields.end()
    return entry


def report_to_json(report: GateReport) -> Document:
    """Return a gate report as JSON values. Raises BadDocument where it holds what JSON can't."""
    return cast("Document", _plain(report, "gate report"))


def report_from_json(document: object) -> GateReport:
    """Read what ``report_to_json`` wrote. Raises BadDocument."""
    fields = Fields(document, "gate report")
    report = GateReport(
        verdict=fields.one_of("verdict", GateVerdict),
        reason=fields.text("reason"),
        alpha=fields.real("alpha"),
        look=fields.whole("look"),
        slices=tuple(_slice(item, where) for item, where in fields.items("slices")),
        against=fields.optional("against", fields.version),
    )
    fields.end()
    return report


def version_to_json(version: Version) -> Document:
    """Return a version as JSON values. Raises BadDocument where it holds what JSON can't."""
    return cast("Document", _plain(version, "version"))


def version_from_json(document: object) -> Version:
    """Read what ``version_to_json`` wrote. Raises BadDocument."""
    fields = Fields(document, "version")
    version = Version(
        name=fields.version("name"),
        run=fields.optional("run", fields.text),
        artifact=fields.optional("artifact", fields.text),
        digest=fields.text("digest"),
        size_bytes=fields.whole("size_bytes"),
        lineage=_lineage(fields.take("lineage")),
        created_at=fields.time("created_at"),
    )
    fields.end()
    return version


def _slice(document: object, where: str) -> SliceReport:
    fields = Fields(document, where)
    found = SliceReport(
        name=fields.text("name"),
        role=fields.text("role"),
        conversations=fields.whole("conversations"),
        clusters=fields.whole("clusters"),
        live_loss=fields.real("live_loss"),
        candidate_loss=fields.real("candidate_loss"),
        difference=fields.real("difference"),
        lower=fields.real("lower"),
        upper=fields.real("upper"),
        verdict=fields.one_of("verdict", GateVerdict),
        needed=fields.whole("needed"),
        reason=fields.text("reason"),
    )
    fields.end()
    return found


def _lineage(document: object) -> Lineage:
    fields = Fields(document, "version.lineage")
    lineage = Lineage(
        base=fields.text("base"),
        base_digest=fields.text("base_digest"),
        parent=fields.optional("parent", fields.version),
        method=fields.text("method"),
        settings=fields.mapping("settings"),
        seed=fields.whole("seed"),
        packages=fields.texts("packages"),
        sources=tuple(_offsets(item, where) for item, where in fields.items("sources")),
        conversations=fields.whole("conversations"),
        data_digest=fields.text("data_digest"),
    )
    fields.end()
    return lineage


def _offsets(document: object, where: str) -> OffsetRange:
    fields = Fields(document, where)
    found = OffsetRange(
        topic=fields.text("topic"),
        partition=fields.whole("partition"),
        first=fields.whole("first"),
        last=fields.whole("last"),
    )
    fields.end()
    return found


def _plain(value: object, where: str) -> object:
    """Turn our types into JSON's. A tuple becomes an array, and is read back as a list in free-form settings."""
    match value:
        case VersionName():
            return str(value)
        case datetime():
            return _iso(value, where)
        case StrEnum():
            return value.value
        case Mapping():
            return {_key(name, where): _free(inner, f"{where}.{name}") for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner, f"{where}[{index}]") for index, inner in enumerate(value)]
        case float() if math.isinf(value):
            return "inf" if value > 0 else "-inf"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: _plain(getattr(value, name), f"{where}.{name}") for name in names}
    return _free(value, where)


def _free(value: object, where: str) -> object:
    """Check a value whose shape is its writer's business."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case Mapping():
            return {_key(name, where): _free(inner, f"{where}.{name}") for name, inner in value.items()}
        case list() | tuple():
            return [_free(inner, f"{where}[{index}]") for index, inner in enumerate(value)]
    raise BadDocument(f"{where}: {value!r} can't be written as JSON")


def _key(name: object, where: str) -> str:
    if not isinstance(name, str):
        raise BadDocument(f"{where}: the name {name!r} is not text")
    return name


def _iso(moment: datetime, where: str) -> str:
    if moment.tzinfo is None:
        raise BadDocument(f"{where}: {moment} has no time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
