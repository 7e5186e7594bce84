"""Reads which conversation a tombstone deletes."""

from daemon.domain.bad_record import BadRecord
from daemon.intake import decoding_fields as fields


def deleted_conversation(key: bytes | None) -> str | None:
    """Return the id of the conversation that a tombstone's key names; None if the key can't be an id."""
    if not key:
        return None
    try:
        return fields.name({"key": key.decode()}, "key")
    except (UnicodeDecodeError, BadRecord):
        return None
