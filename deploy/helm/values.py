"""Reads the chart's values.yaml: each value with its default and the comment above it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "retuned"
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z][\w]*):")
_COMMENT = re.compile(r" *# ?(?P<text>.*)")
_MARK = "-- "

Place = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """One value, such as ``image.tag``, that has a comment of its own."""

    place: Place
    default: Any  # as YAML gives it
    comment: str

    @property
    def name(self) -> str:
        """Its place as in ``--set``."""
        return ".".join(self.place)


def defaults() -> dict[str, Any]:
    """Return the chart's values as they are without any others."""
    loaded = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    if not isinstance(loaded, dict):
        raise TypeError("values.yaml is not a mapping")
    return loaded


def commented() -> list[Value]:
    """Return the values that a comment ``# -- `` explains, in the order of the file."""
    values = defaults()
    return [
        Value(place=place, default=_at(values, place), comment=comment)
        for place, comment in _comments((CHART / "values.yaml").read_text("utf-8").splitlines())
    ]


def uncommented() -> list[str]:
    """Return the values that no comment explains, neither their own nor that of a group that they are in."""
    explained = {value.place for value in commented()}
    return [
        ".".join(place)
        for place in _leaves(defaults(), ())
        if not any(place[:length] in explained for length in range(1, len(place) + 1))
    ]


def _comments(lines: list[str]) -> Iterator[tuple[Place, str]]:
    place: list[str] = []
    comment: list[str] | None = None
    for line in lines:
        if found := _COMMENT.fullmatch(line):
            text = found["text"]
            if text.startswith(_MARK):
                comment = [text.removeprefix(_MARK)]
            elif comment is not None:
                comment.append(text)
        elif found := _KEY.match(line):
            place = [*place[: len(found["indent"]) // 2], found["key"]]
            if comment is not None:
                yield tuple(place), " ".join(comment)
            comment = None
        else:
            comment = None


def _leaves(values: dict[str, Any], place: Place) -> Iterator[Place]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*place, key))
        else:
            yield (*place, key)


def _at(values: dict[str, Any], place: Place) -> Any:
    found: Any = values
    for key in place:
        found = found[key]
    return found
