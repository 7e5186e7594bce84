"""Converts versions, promotions, gate reports and orders to JSON values and back without loss.

The digests of the promotion log are computed from the JSON of its entries: never change how an existing field is
written.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from registry.errors import RegistryError
from registry.json_types import explain
from registry.orders import Order
from registry.types import GateReport, Promotion, Version

Document = dict[str, object]
_T = TypeVar("_T")

_ORDER = TypeAdapter(Order)
_PROMOTION = TypeAdapter(Promotion)
_REPORT = TypeAdapter(GateReport)
_VERSION = TypeAdapter(Version)


class BadDocument(RegistryError):
    """A document is malformed. Restore it from a backup, or run the release that wrote it."""


def promotion_to_json(entry: Promotion) -> Document:
    """Return a promotion entry as JSON values. Raises BadDocument for a value that JSON can't represent."""
    return _dump(_PROMOTION, entry, "promotion")


def stored_promotion_to_json(entry: Promotion) -> Document:
    """Do what ``promotion_to_json`` does for an entry that was read from its document, without checking it again."""
    document: Document = _PROMOTION.dump_python(entry, mode="json")
    return document


def promotion_from_json(document: object) -> Promotion:
    """Read what ``promotion_to_json`` wrote. Raises BadDocument."""
    return promotion_from_text(json.dumps(document))


def promotion_from_text(text: str) -> Promotion:
    """Read a promotion entry from the text of its JSON. Raises BadDocument."""
    document = orjson.loads(text)
    _require_all_fields(Promotion, document, "promotion")
    if isinstance(document, Mapping):
        _require_all_fields(GateReport, document["gate"], "promotion.gate")
    return _load_text(_PROMOTION, text, "promotion")


def report_to_json(report: GateReport) -> Document:
    """Return a gate report as JSON values. Raises BadDocument for a value that JSON can't represent."""
    return _dump(_REPORT, report, "gate report")


def report_from_json(document: object) -> GateReport:
    """Read what ``report_to_json`` wrote. Raises BadDocument."""
    _require_all_fields(GateReport, document, "gate report")
    return _load(_REPORT, document, "gate report")


def version_to_json(version: Version) -> Document:
    """Return a version as JSON values. Raises BadDocument for a value that JSON can't represent."""
    return _dump(_VERSION, version, "version")


def version_from_json(document: object) -> Version:
    """Read what ``version_to_json`` wrote. Raises BadDocument."""
    return _load(_VERSION, document, "version")


def order_to_json(order: Order) -> Document:
    """Return an order as JSON values. Raises BadDocument for a value that JSON can't represent."""
    return _dump(_ORDER, order, "order")


def order_from_json(document: object) -> Order:
    """Read what ``order_to_json`` wrote. Raises BadDocument."""
    return _load(_ORDER, document, "order")


def _dump(adapter: TypeAdapter[_T], value: _T, where: str) -> Document:
    """Return a value as JSON values. Raises BadDocument naming every field that JSON can't represent."""
    try:
        document: Document = adapter.dump_python(adapter.validate_python(value), mode="json")
    except ValidationError as error:
        raise BadDocument(explain(error, where)) from error
    return document


def _load(adapter: TypeAdapter[_T], document: object, where: str) -> _T:
    return _load_text(adapter, json.dumps(document), where)


def _load_text(adapter: TypeAdapter[_T], text: str, where: str) -> _T:
    """Read a document. Raises BadDocument naming every field that is missing, unknown or malformed."""
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        raise BadDocument(explain(error, where)) from error


def _require_all_fields(kind: type[GateReport | Promotion], document: object, where: str) -> None:
    """Raise BadDocument if a field is missing, even one with a default: every field of ``_FIELDS`` is always written."""
    if isinstance(document, Mapping):
        for name in _FIELDS[kind]:
            if name not in document:
                raise BadDocument(f"{where}.{name}: Field required")


#: Fields that were added later; they are left out where they are empty.
_ADDED = frozenset({"checks", "figures"})
_FIELDS: Mapping[type[GateReport | Promotion], tuple[str, ...]] = {
    kind: tuple(field.name for field in dataclasses.fields(kind) if field.name not in _ADDED)
    for kind in (GateReport, Promotion)
}
