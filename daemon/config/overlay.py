"""Puts settings over others."""

from collections.abc import Mapping
from typing import Any


def overlay(values: dict[str, Any], overriding: Mapping[str, Any]) -> None:
    """Put settings into ``values``: sections are merged, anything else is replaced, a list as a whole."""
    for name, value in overriding.items():
        if isinstance(value, dict) and isinstance(values.get(name), dict):
            overlay(values[name], value)
        else:
            values[name] = value
