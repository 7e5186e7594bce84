"""Finds and removes the dead letters that name a user or conversation."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, delete, select

from daemon.domain.records import Coordinates
from daemon.ledger.sql_in import in_values
from daemon.ledger.tables import dead_letters

#: Letters in memory at a time; each may be as large as a record.
_PAGE = 50
#: What an id must not touch, so that u-1 is not found in u-12.
_WORD = rb"[0-9A-Za-z_-]"
_WORDS = re.compile(_WORD + rb"+")


def remove_dead_letters_naming(
    connection: Connection, ids: Sequence[str]
) -> list[tuple[str, Coordinates | None]]:
    """Remove dead letters whose key or value contains one of the ids, plain or JSON-escaped.

    Return for each the first of the ids that it contains, and its coordinates if it had been published.
    """
    if not ids:
        return []
    search = _Search(ids)
    columns = (dead_letters.c.id, dead_letters.c.key, dead_letters.c.value, dead_letters.c.published_at)
    at = (dead_letters.c.topic, dead_letters.c.partition, dead_letters.c.offset)
    rows, found = [], []
    letters = connection.execute(select(*columns, *at), execution_options={"yield_per": _PAGE})
    for row, key, value, sent, topic, partition, offset in letters:
        named = min((first for text in (key, value) if text for first in search.found_in(text)), default=None)
        if named is not None:
            rows.append(row)
            place = Coordinates(topic=topic, partition=partition, offset=offset)
            found.append((ids[named], None if sent is None else place))
    if rows:
        connection.execute(delete(dead_letters).where(in_values(connection, dead_letters.c.id, rows)))
    return found


class _Search:
    """Finds many ids in bytes, in time that grows with the bytes rather than with the number of ids."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = ids
        #: Ids by the longest word of each form that they may have; a text that holds the form holds the word.
        self._by_word: defaultdict[bytes, list[int]] = defaultdict(list)
        self._without_word: list[int] = []
        for number, id_ in enumerate(ids):
            words = [max(_WORDS.findall(form), key=len, default=None) for form in _forms(id_)]
            for word in {word for word in words if word is not None}:
                self._by_word[word].append(number)
            if None in words:
                self._without_word.append(number)

    def found_in(self, text: bytes) -> Iterator[int]:
        """Return the positions of the ids that a text names."""
        words = self._by_word.keys() & set(_WORDS.findall(text))
        for number in {*self._without_word, *(number for word in words for number in self._by_word[word])}:
            if _whole_id(self._ids[number]).search(text):
                yield number


def _whole_id(id_: str) -> re.Pattern[bytes]:
    """Return a pattern that matches an id in bytes that may be broken JSON, but not within a longer id.

    So ``u-1`` does not match ``u-12``.
    """
    either = b"|".join(map(re.escape, _forms(id_)))
    return re.compile(rb"(?<!" + _WORD + rb")(?:" + either + rb")(?!" + _WORD + rb")")


def _forms(id_: str) -> list[bytes]:
    """Return the ways to write an id: plain, and as JSON may escape it."""
    escaped = json.dumps(id_)[1:-1]
    upper = re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), escaped)
    forms = {form for plain in (id_, escaped, upper) for form in (plain, plain.replace("/", r"\/"))}
    return sorted(form.encode() for form in forms)
