"""Writes the page of the chart's values from the comments in values.yaml."""

import json
from collections.abc import Iterator

from deploy.helm.values import Value, commented


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield name, default and meaning of each value."""
    for value in commented():
        yield f"`{value.name}`", _default(value), f"{value.comment}."


def _default(value: Value) -> str:
    return f"`{json.dumps(value.default, ensure_ascii=False)}`"
