"""Sends spans to a collector by OTLP over HTTP, in a thread of its own.

OpenTelemetry is imported here alone, and only where traces are on.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from importlib.metadata import version as installed_version
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags
from requests import PreparedRequest, Session
from requests.auth import AuthBase

from daemon.config.sections.tracing import TracingSection
from daemon.domain.log_once import LogOnce
from daemon.domain.spans import Span

_log = logging.getLogger(__name__)
_TIMEOUT_S, _EVERY_MS = 5.0, 1_000.0
_QUEUE, _BATCH = 2_048, 256
_PATH = "/v1/traces"


class OtlpExporter:
    """Queues spans and sends them in batches. What does not fit into the queue, or can't be sent, is dropped."""

    def __init__(self, tracing: TracingSection, *, count: Callable[[int, bool], None]) -> None:
        """``count`` is told of each batch how many spans it had and whether they were sent."""
        self._tracing = tracing
        self._count = count
        self._resource = Resource(
            {"service.name": tracing.service_name, "service.version": installed_version("retuned")}
        )
        self._scope = InstrumentationScope("retuned", installed_version("retuned"))
        self._processor: BatchSpanProcessor | None = None

    def start(self) -> None:
        """Start the thread that sends. Call once."""
        # The library logs each failure, with the collector's answer; _Reporting logs one.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._processor = BatchSpanProcessor(
            _Reporting(_exporter(self._tracing), self._count),
            max_queue_size=_QUEUE,
            schedule_delay_millis=_EVERY_MS,
            max_export_batch_size=_BATCH,
            export_timeout_millis=_TIMEOUT_S * 1_000,
        )

    def send(self, spans: Iterable[Span]) -> None:
        """Queue spans. Never waits."""
        if self._processor is not None:
            for span in spans:
                self._processor.on_end(self._readable(span))

    def close(self, timeout_s: float) -> None:
        """Send what is queued, within ``timeout_s``."""
        if self._processor is None:
            return
        # The library waits for as long as its requests take.
        ending = threading.Thread(target=self._processor.shutdown, name="retuned-traces-end", daemon=True)
        ending.start()
        ending.join(timeout_s)
        self._processor = None

    def _readable(self, span: Span) -> ReadableSpan:
        context = _context(span.trace, span.id)
        return ReadableSpan(
            span.name,
            context,
            None if span.parent is None else _context(span.trace, span.parent),
            self._resource,
            {f"retuned.{name}": value for name, value in span.attributes.items()},
            status=Status(StatusCode.UNSET) if span.error is None else Status(StatusCode.ERROR, span.error),
            start_time=_nanoseconds(span.start),
            end_time=_nanoseconds(span.end),
            instrumentation_scope=self._scope,
        )


class _Reporting(SpanExporter):
    """Counts what was sent and what was not, and logs that it fails once, until it works again."""

    def __init__(self, exporter: SpanExporter, count: Callable[[int, bool], None]) -> None:
        self._exporter = exporter
        self._count = count
        self._sending = LogOnce("sending traces", _log, extra={"action": "trace"})

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        sent = result is SpanExportResult.SUCCESS
        self._count(len(spans), sent)
        if sent:
            self._sending.recovered()
        else:
            self._sending.failed(ConnectionError("the collector does not take them; run `retuned doctor`"))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class HeadersOfFile(AuthBase):
    """Adds the headers of a file to each request, ``Name: value`` a line. Without a readable file none is added."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return request
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                request.headers[name.strip()] = value.strip()
        return request


def traces_url(endpoint: str) -> str:
    """Return the URL that spans are posted to."""
    return endpoint if endpoint.endswith(_PATH) else endpoint.rstrip("/") + _PATH


def session_of(tracing: TracingSection) -> Session:
    """Return a session with the settings' headers. It asks the collector directly, without a proxy."""
    session = Session()
    session.trust_env = False
    if tracing.headers_file is not None:
        session.auth = HeadersOfFile(tracing.headers_file)
    return session


def _exporter(tracing: TracingSection) -> OTLPSpanExporter:
    return OTLPSpanExporter(
        endpoint=traces_url(tracing.endpoint or ""),
        certificate_file=None if tracing.ca_file is None else str(tracing.ca_file),
        timeout=_TIMEOUT_S,
        session=session_of(tracing),
    )


def _context(trace: str, span: str) -> SpanContext:
    return SpanContext(
        int(trace, 16), int(span, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6) * 1_000
