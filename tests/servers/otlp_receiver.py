"""A collector of traces: takes OTLP over HTTP on a free port of 127.0.0.1 and decodes it."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.local_server import LocalServer


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedSpan:
    """A span as a collector sees it."""

    trace: str
    id: str
    parent: str  # "" for the first of a trace
    name: str
    start: int
    end: int  # nanoseconds since 1970
    failed: bool
    attributes: Mapping[str, str]
    service: str


class OtlpReceiver:
    """Keeps what it gets. Start it with ``with``; ``status`` is what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.requests = 0
        self.headers: dict[str, str] = {}  # of the newest request
        self.bodies: list[bytes] = []  # as they were sent, unpacked
        self._lock = Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(self.path, dict(self.headers), body)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = LocalServer(Handler)

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(None, None, None)

    @property
    def endpoint(self) -> str:
        return self.server.origin

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        with self._lock:
            self.requests += 1
            self.headers = headers
            if headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if path == "/v1/traces" and self.status == 200:
                self.bodies.append(body)

    def spans(self) -> list[ReceivedSpan]:
        """What was taken, each span once, in the order of their beginning."""
        with self._lock:
            bodies = [*self.bodies]
        found: dict[str, ReceivedSpan] = {}
        for body in bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = next(
                    each.value.string_value
                    for each in resource.resource.attributes
                    if each.key == "service.name"
                )
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        found[span.span_id.hex()] = ReceivedSpan(
                            trace=span.trace_id.hex(),
                            id=span.span_id.hex(),
                            parent=span.parent_span_id.hex(),
                            name=span.name,
                            start=span.start_time_unix_nano,
                            end=span.end_time_unix_nano,
                            failed=span.status.code == 2,
                            attributes={
                                each.key: str(
                                    getattr(each.value, each.value.WhichOneof("value") or "string_value")
                                )
                                for each in span.attributes
                            },
                            service=service,
                        )
        return sorted(found.values(), key=lambda span: (span.start, span.end))
