"""Conversations that keep coming, whatever becomes of the broker and its readers."""

import contextlib
import threading
from collections.abc import Iterator

from daemon.kafka import KafkaSink
from daemon.replay import encode_record
from tests.e2e.regimes import small_talk
from tests.e2e.stream import Stream
from tests.helpers import eventually

_MANY = 100_000
_AT_ONCE = 5
_PAUSE_S = 0.05


class Load:
    """Writes about a hundred conversations a second, on a thread of its own, until it is told to stop."""

    def __init__(self, stream: Stream) -> None:
        self.names: list[str] = []
        self._stream = stream
        self._stop = threading.Event()
        self._settled = False
        self._writes = threading.Lock()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        sink = KafkaSink(self._stream.settings)
        for number, talk in enumerate(small_talk(_MANY, seed=6)):
            sink.send(self._stream.settings.topic, b"%d" % number, encode_record(talk))
            self.names.append(talk.conversation_id)
            if number % _AT_ONCE == 0:
                with self._writes:
                    self._settled = sink.flush(0.2)
                if self._stop.wait(_PAUSE_S):
                    break
        eventually(lambda: sink.flush(1), deadline_s=60)
        sink.close(5)

    @contextlib.contextmanager
    def between_writes(self) -> Iterator[None]:
        """Tansu killed in the middle of a write may acknowledge its repetition without keeping it."""
        eventually(self._writes_are_done, deadline_s=60)
        try:
            yield
        finally:
            self._writes.release()

    def _writes_are_done(self) -> bool:
        self._writes.acquire()
        if not self._settled:
            self._writes.release()
        return self._settled

    def stop(self) -> None:
        """Returns once the broker has everything."""
        self._stop.set()
        self._thread.join(90)
        assert not self._thread.is_alive()
