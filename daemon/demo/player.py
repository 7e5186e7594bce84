"""Replays the demo's records into the topic, in the background."""

import threading
import time
from collections.abc import Sequence
from itertools import accumulate

from daemon.demo.errors import DemoError
from daemon.domain.clock import utc_now
from daemon.domain.conversation import Conversation, Record
from daemon.domain.streams import StreamError
from daemon.intake.replay import replay
from daemon.kafka import KafkaSink
from daemon.kafka.settings import KafkaSettings

_CLOSE_TIMEOUT_S = 5.0


class ReplayFailed(DemoError):
    """The conversations did not all reach the topic."""


class _Interrupted(Exception):
    """The demo ends before the stream does."""


class Player:
    """Sends conversations and opinions from a thread at a steady rate, each stamped with its time of sending."""

    def __init__(
        self, records: Sequence[Record], kafka: KafkaSettings, *, rate: float, sent_before: int = 0
    ) -> None:
        """``sent_before`` conversations were sent by others."""
        self._records = records
        are_conversations = (isinstance(record, Conversation) for record in records)
        self._sent = (*accumulate(are_conversations, initial=sent_before),)  # by the records acknowledged
        self._kafka = kafka
        self._rate = rate
        self._stop = threading.Event()
        self._acknowledged = 0
        self._failure: StreamError | None = None
        self._thread = threading.Thread(target=self._play, name="replay", daemon=True)

    def start(self) -> None:
        """Start sending."""
        self._thread.start()

    @property
    def sent(self) -> int:
        """Conversations that the broker has acknowledged."""
        return self._sent[self._acknowledged]

    def check(self) -> None:
        """Raise ReplayFailed if sending failed."""
        if self._failure is not None:
            raise ReplayFailed(f"the replay stopped: {self._failure}") from self._failure

    def stop(self) -> None:
        """Stop sending and end the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _play(self) -> None:
        sink = KafkaSink(self._kafka)
        try:
            replay(
                self._records,
                sink,
                self._kafka.topic,
                rate=self._rate,
                clock=time.monotonic,
                sleep=self._pause,
                now=utc_now,
                on_progress=self._note,
            )
        except StreamError as failure:
            self._failure = failure
        except _Interrupted:
            pass
        finally:
            sink.close(_CLOSE_TIMEOUT_S)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _Interrupted

    def _note(self, acknowledged: int) -> None:
        self._acknowledged = acknowledged
