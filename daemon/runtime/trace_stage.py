"""Sends traces of what the leader did."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from daemon.domain.child_work import ChildWork, ChildWorkLog
from daemon.domain.clock import Clock, Interval
from daemon.domain.errors import LedgerError
from daemon.domain.spans import Span, is_sampled

#: Between two readings of the ledger, and how far back each looks. After a start, spans that ended this long ago are sent
#: again, with the same ids: a killed leader may not have sent them.
_EVERY, _BACK = timedelta(seconds=2), timedelta(minutes=10)


class SpanExporter(Protocol):
    """Sends spans without making the loop wait."""

    def send(self, spans: Iterable[Span]) -> None: ...

    def close(self, timeout_s: float) -> None: ...


class TraceStage:
    """Reads from the ledger which work has ended, and sends each span once."""

    name = "tracing"

    def __init__(
        self,
        read: Callable[[datetime], Iterator[Span]],
        of_child: Callable[[ChildWork], Span | None],
        *,
        works: ChildWorkLog,
        exporter: SpanExporter,
        sample: float,
        clock: Clock,
    ) -> None:
        """``read`` returns the spans that ended since a moment; ``sample`` is the share of traces to send."""
        self._read = read
        self._of_child = of_child
        self._works = works
        self._exporter = exporter
        self._sample = sample
        self._clock = clock
        self._interval = Interval(_EVERY)
        self._sent: dict[str, datetime] = {}  # when each span ended

    def step(self) -> None:
        """Read and send, if that is due."""
        now = self._clock()
        if self._interval.is_due(now):
            self._interval.start(now)
            self._send(now)

    def close(self, timeout_s: float) -> None:
        """Send what has ended since the last step, and what is queued."""
        with suppress(LedgerError):  # it is sent after the next start
            self._send(self._clock())
        self._exporter.close(min(timeout_s, 2.0))

    def _send(self, now: datetime) -> None:
        since = now - _BACK
        self._sent = {id_: end for id_, end in self._sent.items() if end >= since - _BACK}
        children = (self._of_child(work) for work in self._works.take())
        spans = [*self._read(since), *(span for span in children if span is not None)]
        new = [span for span in spans if span.id not in self._sent and is_sampled(span.trace, self._sample)]
        self._sent |= {span.id: span.end for span in new}
        self._exporter.send(new)
