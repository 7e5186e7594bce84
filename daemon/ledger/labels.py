"""Reads a conversation's labels, such as its intent, from the metadata that came with it."""

from collections.abc import Mapping, Sequence

#: At most so many values of a field, and so many characters of a value, are read.
_MAX_VALUES, _MAX_CHARACTERS = 8, 64

Labels = tuple[tuple[str, str], ...]


def labels_of(metadata: Mapping[str, object], fields: Sequence[str]) -> Labels:
    """Return the labels in the fields, as (field, value).

    A list has one label for each of its values. A field that is missing, or holds no text or number, gives an empty label.
    """
    return tuple((field, value) for field in fields for value in _values(metadata.get(field)))


def _values(given: object) -> list[str]:
    listed = given[:_MAX_VALUES] if isinstance(given, list) else [given]
    return [str(value)[:_MAX_CHARACTERS] for value in listed if isinstance(value, str | int | float)] or [""]
