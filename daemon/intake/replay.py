"""Sends conversations to the topic at a steady pace, as if they happened now."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import orjson

from daemon.domain.conversation import Conversation
from daemon.domain.streams import RecordSink, StreamError

_FLUSH_TIMEOUT_S = 10.0
_FLUSH_EVERY = 100  # records, where there is no time to wait in between


class ReplayStopped(StreamError):
    """The broker no longer takes records."""

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
    """Send conversations, ``rate`` a second, in their order; return how many.

    ``clock`` is monotonic, in seconds. With ``now`` each record gets the time at which it is sent,
    else it keeps its own. A pace that the broker can't follow is not made up for by bursts.
    ``on_progress`` is told the number acknowledged. Raises ReplayStopped.
    """
    acknowledged = sent = 0
    due = clock()
    for conversation in conversations:
        waits = due - clock()
        if sent > acknowledged and (waits > 0 or sent - acknowledged >= _FLUSH_EVERY):
            acknowledged = _flush(sink, sent, acknowledged, on_progress)
            waits = due - clock()
        if waits > 0:
            sleep(waits)
        sink.send(topic, _key(conversation), encode_record(conversation, at=now() if now else None))
        sent += 1
        due = max(due, clock() - 1 / rate) + 1 / rate
    if sent > acknowledged:
        _flush(sink, sent, acknowledged, on_progress)
    return sent


def encode_record(conversation: Conversation, *, at: datetime | None = None) -> bytes:
    """Write a conversation as a native record, at its own time or at another."""
    feedback = conversation.feedback
    record = {
        "conversation_id": conversation.conversation_id,
        "ts": (at or conversation.at).isoformat(),
        "model_line": conversation.model_line,
        "model_version": conversation.model_version,
        "user_id": conversation.user_id,
        "messages": [{"role": turn.role, "content": turn.content} for turn in conversation.messages],
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
    """All of one user's conversations go to one partition, so they stay in order."""
    return (conversation.user_id or conversation.conversation_id).encode()
