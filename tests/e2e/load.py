"""Conversations that keep coming, whatever becomes of the broker and its readers."""

import threading

from daemon.intake.replay import encode_record
from daemon.kafka import KafkaSink
from tests.e2e.regimes import small_talk
from tests.e2e.stream import Stream
from tests.support.helpers import eventually
from tests.support.settled import SettledWrites

_MANY = 100_000
_AT_ONCE = 5
_PAUSE_S = 0.05


class Load:
    """Writes about a hundred conversations a second, on a thread of its own, until it is told to stop."""

    def __init__(self, stream: Stream) -> None:
        self.names: list[str] = []
        self._stream = stream
        self._stop = threading.Event()
        self.writes = SettledWrites()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        sink = KafkaSink(self._stream.settings)
        for number, conversation in enumerate(small_talk(_MANY, seed=6)):
            sink.send(self._stream.settings.topic, b"%d" % number, encode_record(conversation))
            self.names.append(conversation.conversation_id)
            if number % _AT_ONCE == 0:
                self.writes.flush(sink, 0.2)
                if self._stop.wait(_PAUSE_S):
                    break
        eventually(lambda: sink.flush(1), deadline_s=60)
        sink.close(5)

    def stop(self) -> None:
        """Returns once the broker has everything."""
        self._stop.set()
        self._thread.join(90)
        assert not self._thread.is_alive()
