"""Reads the attributes of spans and events of OpenTelemetry, in the forms that exporters write them."""

from collections.abc import Mapping

from daemon.domain.conversation import JSON
from daemon.intake.decoding_fields import Object

#: The fields of a value in OTLP's JSON.
_SCALARS = ("stringValue", "intValue", "doubleValue", "boolValue", "bytesValue")


def attributes_of(record: Object) -> dict[str, JSON]:
    """Return the attributes of a span or event by their names: a mapping, a list as in OTLP, or fields of the record."""
    given = record.get("attributes")
    if isinstance(given, list):
        return _listed(given)
    if isinstance(given, dict):
        return dict(given)
    return dict(record)


def nested(attributes: Mapping[str, JSON], prefix: str) -> JSON:
    """Return what flat names such as ``llm.input_messages.0.message.role`` hold below a prefix, as lists and objects.

    None if no name begins so. Names that are nested already stay so.
    """
    parts = prefix.split(".")
    found: JSON = attributes
    for part in parts:
        found = found.get(part) if isinstance(found, dict) else None
    if found is not None:
        return found
    tree: dict[str, JSON] = {}
    start = f"{prefix}."
    for name, value in attributes.items():
        if name.startswith(start) and name.count(".") <= _DEEPEST:
            _put(tree, name[len(start) :].split("."), value)
    return _as_lists(tree) if tree else attributes.get(prefix)


_DEEPEST = 16


def _put(tree: dict[str, JSON], path: list[str], value: JSON) -> None:
    for part in path[:-1]:
        inner = tree.get(part)
        if not isinstance(inner, dict):
            inner = tree[part] = {}
        tree = inner
    tree[path[-1]] = value


def _as_lists(value: JSON) -> JSON:
    """Turn objects whose keys are all numbers into lists, in the order of the numbers."""
    if not isinstance(value, dict):
        return value
    inner = {name: _as_lists(one) for name, one in value.items()}
    if inner and all(name.isdecimal() and len(name) < 9 for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def _listed(pairs: list[JSON]) -> dict[str, JSON]:
    return {
        str(pair["key"]): _value(pair.get("value"))
        for pair in pairs
        if isinstance(pair, dict) and "key" in pair
    }


def _value(value: JSON) -> JSON:
    if not isinstance(value, dict):
        return value
    scalar = next((name for name in _SCALARS if name in value), None)
    if scalar is not None:
        found: JSON = value[scalar]
        return found
    if isinstance(array := value.get("arrayValue"), dict):
        values = array.get("values")
        return [_value(one) for one in values] if isinstance(values, list) else []
    if isinstance(pairs := value.get("kvlistValue"), dict):
        inner = pairs.get("values")
        return _listed(inner) if isinstance(inner, list) else {}
    return value
