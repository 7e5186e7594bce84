"""Dead letters as plain values, for programs."""

import dataclasses

from daemon.domain.records import StoredDeadLetter


def without_bytes(stored: StoredDeadLetter) -> dict[str, object]:
    """Return everything but the record's key and value, which may be large."""
    letter = dataclasses.replace(stored.letter, key=None, value=None)
    plain = dataclasses.asdict(dataclasses.replace(stored, letter=letter))
    for unshown in ("key", "value", "subjects"):
        del plain["letter"][unshown]
    return plain


def with_text(stored: StoredDeadLetter) -> dict[str, object]:
    """Return everything, key and value as text in which bytes that are no UTF-8 are escaped."""
    return {
        **without_bytes(stored),
        "key": None if stored.letter.key is None else stored.letter.key.decode(errors="backslashreplace"),
        "value": None
        if stored.letter.value is None
        else stored.letter.value.decode(errors="backslashreplace"),
    }
