"""Reads a conversation's labels, such as its intent, from the metadata that came with it."""

from collections.abc import Mapping, Sequence

#: Values of one field, and characters of a value, that are looked at.
_MOST, _CHARACTERS = 8, 64

Labels = tuple[tuple[str, str], ...]


def labels_of(metadata: Mapping[str, object], fields: Sequence[str]) -> Labels:
    """Return (field, value) for the fields; a list gives each of its values, what is absent or no label an empty one."""
    return tuple((field, value) for field in fields for value in _values(metadata.get(field)))


def _values(given: object) -> list[str]:
    listed = given[:_MOST] if isinstance(given, list) else [given]
    return [str(value)[:_CHARACTERS] for value in listed if isinstance(value, str | int | float)] or [""]
