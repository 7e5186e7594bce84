"""Encodes dead letters for their topic: the original bytes, with reason and origin in the headers."""

from daemon.domain.records import DeadLetter

#: Brokers accept about 1 MiB a record by default, headers included.
MAX_VALUE_BYTES = 1_000_000


def encode(letter: DeadLetter) -> tuple[bytes, bytes | None, list[tuple[str, bytes]]]:
    """Return the key, the value and the headers of a dead letter.

    The key is ``topic/partition/offset`` of the record, so a letter that is sent twice has the same key. The value is
    the record's, byte for byte; one too large for a broker is truncated, and ``retuned.size`` holds its full length. If
    only digests are kept, the value is empty.
    """
    at = letter.at
    headers = {
        "retuned.reason": str(letter.reason),
        "retuned.field": letter.field,
        "retuned.message": letter.message,
        "retuned.topic": at.topic,
        "retuned.partition": str(at.partition),
        "retuned.offset": str(at.offset),
        "retuned.time": letter.when.isoformat(),
        "retuned.size": str(letter.size),
        "retuned.sha256": letter.digest or "",
    }
    encoded = [(name, text.encode()) for name, text in headers.items()]
    if letter.key is not None:
        encoded.append(("retuned.key", letter.key))
    value = None if letter.value is None else letter.value[:MAX_VALUE_BYTES]
    return f"{at.topic}/{at.partition}/{at.offset}".encode(), value, encoded
