"""Replays conversations to the topic at a steady rate."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import orjson

from daemon.domain.conversation import Conversation
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
    conversations: Iterable[Conversation],
    sink: RecordSink,
    topic: str,
    *,
    rate: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    now: Callable[[], datetime] | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Send conversations in order, ``rate`` per second; return how many.

    ``clock`` is monotonic, in seconds. With ``now`` each record gets the time at which it is sent, else it keeps its
    own. Time lost to a slow broker is not made up for by bursts. ``on_progress`` receives the number of acknowledged
    records. Raises ReplayStopped.
    """
    acknowledged = sent = 0
    due = clock()
    for conversation in conversations:
        wait_s = due - clock()
        if sent > acknowledged and (wait_s > 0 or sent - acknowledged >= _FLUSH_EVERY):
            acknowledged = _flush(sink, sent, acknowledged, on_progress)
            wait_s = due - clock()
        if wait_s > 0:
            sleep(wait_s)
        sink.send(topic, _key(conversation), encode_record(conversation, at=now() if now else None))
        sent += 1
        due = max(due, clock() - 1 / rate) + 1 / rate
    if sent > acknowledged:
        _flush(sink, sent, acknowledged, on_progress)
    return sent


def encode_record(conversation: Conversation, *, at: datetime | None = None) -> bytes:
    """Encode a conversation as a native record, with its own time or another."""
    feedback = conversation.feedback
    record = {
        "conversation_id": conversation.conversation_id,
        "ts": (at or conversation.at).isoformat(),
        "model_line": conversation.model_line,
        "model_version": conversation.model_version,
        "user_id": conversation.user_id,
        "session_id": conversation.session_id,
        "messages": message_documents(conversation.messages),
        "tools": conversation.tools or None,
        "documents": conversation.documents or None,
        "feedback": feedback
        and _present({"thumb": feedback.thumb, "rating": feedback.rating, "correction": feedback.correction}),
        "metadata": dict(conversation.metadata) or None,
    }
    return orjson.dumps(_present(record))


def _flush(sink: RecordSink, sent: int, acknowledged: int, on_progress: Callable[[int], None]) -> int:
    if not sink.flush(_FLUSH_TIMEOUT_S):
        raise ReplayStopped(acknowledged)
    on_progress(sent)
    return sent


def _present(fields: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in fields.items() if value is not None}


def _key(conversation: Conversation) -> bytes:
    """Return a key that keeps a user's conversations in one partition, and so in order."""
    return (conversation.user_id or conversation.conversation_id).encode()
