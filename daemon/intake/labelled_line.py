"""Lines of labelled data sets: ``{"id", "lang"?, "domain"?, "messages", "labels"}``."""

from datetime import datetime

import orjson

from daemon.domain.conversation import JSON


def labelled_as_record(line: bytes, received_at: datetime) -> bytes:
    """Turn a line with ``id`` and ``labels`` into a native record; leave all others, valid or not, to the decoder."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    if (
        not isinstance(found, dict)
        or not ({"id", "messages", "labels"} <= found.keys())
        or "conversation_id" in found
    ):
        return line
    labels = found.get("labels") or {}
    metadata = {key: value for key, value in found.items() if key not in {"id", "messages"}}
    return orjson.dumps(
        {
            "conversation_id": found["id"],
            "ts": received_at.isoformat(),
            "messages": found.get("messages"),
            "feedback": _feedback(labels) if isinstance(labels, dict) else None,
            "metadata": metadata,
        }
    )


def _feedback(labels: dict[str, JSON]) -> dict[str, JSON] | None:
    rating = labels.get("satisfaction")
    up, down = labels.get("thumbs_up"), labels.get("thumbs_down")
    if isinstance(rating, int | float):
        return {"rating": rating}
    if isinstance(up, int) and isinstance(down, int) and up != down:
        return {"thumb": "up" if up > down else "down"}
    return None
