"""Converts the daemon's values to JSON values."""

import dataclasses
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from registry.names import VersionName


def json_value(value: object) -> object:
    """Convert a value: times to ISO 8601 in UTC, names and paths to text, non-finite numbers to null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type | VersionName):
        return {field.name: json_value(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): json_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(inner) for inner in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, VersionName | Path) else value
