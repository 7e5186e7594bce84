"""Replays conversations, and what users think of them, to the topic at a steady rate."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import orjson

from daemon.domain.conversation import Feedback, FeedbackRecord, Record
from daemon.domain.message_json import message_documents
from daemon.domain.streams import RecordSink, StreamError

_FLUSH_TIMEOUT_S = 10.0
_FLUSH_EVERY = 100  # records, if the rate leaves no time to flush in between


class ReplayStopped(StreamError):
    """The broker stopped acknowledging records."""

    def __init__(self, acknowledged: int) -> None:
        super().__init__(
            f"the broker acknowledged {acknowledged} conversations and then no more within {_FLUSH_TIMEOUT_S:g} s; "
            "check that it runs and that the topic exists, then replay the rest"
        )
        self.acknowledged = acknowledged


def replay(
    records: Iterable[Record],
    sink: RecordSink,
    topic: str,
    *,
    rate: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    now: Callable[[], datetime] | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Send records in order, ``rate`` per second; return how many.

    ``clock`` is monotonic, in seconds. With ``now`` each record gets the time at which it is sent, else it keeps its
    own. Time lost to a slow broker is not made up for by bursts. ``on_progress`` receives the number of acknowledged
    records. Raises ReplayStopped.
    """
    acknowledged = sent = 0
    due = clock()
    for record in records:
        wait_s = due - clock()
        if sent > acknowledged and (wait_s > 0 or sent - acknowledged >= _FLUSH_EVERY):
            acknowledged = _flush(sink, sent, acknowledged, on_progress)
            wait_s = due - clock()
        if wait_s > 0:
            sleep(wait_s)
        sink.send(topic, _key(record), encode_record(record, at=now() if now else None))
        sent += 1
        due = max(due, clock() - 1 / rate) + 1 / rate
    if sent > acknowledged:
        _flush(sink, sent, acknowledged, on_progress)
    return sent


def encode_record(record: Record, *, at: datetime | None = None) -> bytes:
    """Encode a conversation or late feedback as a native record, with its own time or another."""
    common: dict[str, object] = {
        "conversation_id": record.conversation_id,
        "ts": (at or record.at).isoformat(),
        "model_line": record.model_line,
        "user_id": record.user_id,
        "feedback": _feedback(record.feedback),
        "metadata": dict(record.metadata) or None,
    }
    if isinstance(record, FeedbackRecord):
        return orjson.dumps(_present(common))
    turns: dict[str, object] = {
        "model_version": record.model_version,
        "session_id": record.session_id,
        "messages": message_documents(record.messages),
        "tools": record.tools or None,
        "documents": record.documents or None,
    }
    return orjson.dumps(_present(common | turns))


def _feedback(feedback: Feedback | None) -> dict[str, object] | None:
    if feedback is None:
        return None
    return _present({"thumb": feedback.thumb, "rating": feedback.rating, "correction": feedback.correction})


def _flush(sink: RecordSink, sent: int, acknowledged: int, on_progress: Callable[[int], None]) -> int:
    if not sink.flush(_FLUSH_TIMEOUT_S):
        raise ReplayStopped(acknowledged)
    on_progress(sent)
    return sent


def _present(fields: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in fields.items() if value is not None}


def _key(record: Record) -> bytes:
    """Return a key that keeps a user's records in one partition, and so in order."""
    return (record.user_id or record.conversation_id).encode()
