"""Counts the rows of a table and takes a digest of them that does not depend on their order."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_BITS = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRows:
    """A table's rows, as they can be compared between databases."""

    name: str
    rows: int
    digest: str  # the sum of the rows' SHA-256: databases sort texts each in their own way


class RowDigest:
    """Takes in the lines of one table, of which the first names the columns."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines = 0
        self._sum = 0

    def over(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the lines on and take them in."""
        for line in lines:
            self._lines += 1
            self._sum += int.from_bytes(hashlib.sha256(line).digest())
            yield line

    def result(self) -> TableRows:
        """Return what was taken in so far."""
        total = self._sum % 2**_BITS
        return TableRows(name=self._name, rows=max(self._lines - 1, 0), digest=f"{total:0{_BITS // 4}x}")
