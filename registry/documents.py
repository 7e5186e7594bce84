"""Takes JSON documents apart field by field, so that a damaged one is refused where it is read."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from registry.errors import RegistryError
from registry.names import BadName, VersionName

_T = TypeVar("_T")
_Enum = TypeVar("_Enum", bound=StrEnum)


class BadDocument(RegistryError):
    """A stored document is not what this release writes. Restore it from a backup, or run the release that wrote it."""


class Fields:
    """The fields of one JSON object. Every taker raises BadDocument where the field is missing or of another kind."""

    def __init__(self, document: object, where: str) -> None:
        if not isinstance(document, Mapping):
            raise BadDocument(f"{where}: expected an object, found {_shown(document)}")
        self._document: Mapping[object, object] = document
        self._where = where
        self._taken: set[object] = set()

    def end(self) -> None:
        """Check that nothing is left over."""
        if unknown := [str(name) for name in self._document if name not in self._taken]:
            raise BadDocument(f"{self._where}: unknown {', '.join(sorted(unknown))}")

    def take(self, name: str) -> object:
        """Return a field as it is."""
        if name not in self._document:
            raise BadDocument(f"{self._where}: {name} is missing")
        self._taken.add(name)
        return self._document[name]

    def text(self, name: str) -> str:
        """Return a string."""
        return _text(self.take(name), self.path(name))

    def whole(self, name: str) -> int:
        """Return an integer."""
        found = self.take(name)
        if not isinstance(found, int) or isinstance(found, bool):
            raise BadDocument(f"{self.path(name)}: expected a whole number, found {_shown(found)}")
        return found

    def real(self, name: str) -> float:
        """Return a number; the infinite ones are written "inf" and "-inf", as JSON has none."""
        found = self.take(name)
        if found in ("inf", "-inf"):
            return math.inf if found == "inf" else -math.inf
        if not isinstance(found, int | float) or isinstance(found, bool) or not math.isfinite(found):
            raise BadDocument(f"{self.path(name)}: expected a number, found {_shown(found)}")
        return float(found)

    def flag(self, name: str) -> bool:
        """Return true or false."""
        found = self.take(name)
        if not isinstance(found, bool):
            raise BadDocument(f"{self.path(name)}: expected true or false, found {_shown(found)}")
        return found

    def time(self, name: str) -> datetime:
        """Return a moment, written as ISO 8601 with its offset."""
        text = self.text(name)
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise BadDocument(f"{self.path(name)}: expected a time, found {_shown(text)}") from error
        if found.tzinfo is None:
            raise BadDocument(f"{self.path(name)}: {text} has no time zone")
        return found

    def version(self, name: str) -> VersionName:
        """Return a version's name."""
        try:
            return VersionName.parse(self.text(name))
        except BadName as error:
            raise BadDocument(f"{self.path(name)}: {error}") from error

    def one_of(self, name: str, words: type[_Enum]) -> _Enum:
        """Return one of an enumeration's words."""
        found = self.text(name)
        try:
            return words(found)
        except ValueError as error:
            raise BadDocument(
                f"{self.path(name)}: expected one of {', '.join(words)}, found {_shown(found)}"
            ) from error

    def optional(self, name: str, taker: Callable[[str], _T]) -> _T | None:
        """Return what ``taker`` makes of the field, or None where it is null."""
        return None if self.take(name) is None else taker(name)

    def items(self, name: str) -> list[tuple[object, str]]:
        """Return an array's items, each with its path."""
        found = self.take(name)
        if not isinstance(found, list):
            raise BadDocument(f"{self.path(name)}: expected an array, found {_shown(found)}")
        return [(item, f"{self.path(name)}[{index}]") for index, item in enumerate(found)]

    def mapping(self, name: str) -> dict[str, object]:
        """Return an object as it is."""
        found = self.take(name)
        if not isinstance(found, dict):
            raise BadDocument(f"{self.path(name)}: expected an object, found {_shown(found)}")
        return {str(key): value for key, value in found.items()}

    def texts(self, name: str) -> dict[str, str]:
        """Return an object of strings."""
        return {key: _text(value, f"{self.path(name)}.{key}") for key, value in self.mapping(name).items()}

    def path(self, name: str) -> str:
        """Return where a field stands, for messages."""
        return f"{self._where}.{name}"


def _text(found: object, where: str) -> str:
    if not isinstance(found, str):
        raise BadDocument(f"{where}: expected text, found {_shown(found)}")
    return found


def _shown(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 60 else f"{text[:57]}..."
