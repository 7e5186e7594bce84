"""Serves metrics, health and reports over HTTP, from threads of its own: a busy loop still answers."""

import io
import json
import logging
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Lock, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias, cast

from daemon.domain.errors import DaemonError
from daemon.http.health import Answer, Health
from daemon.http.pages import Page, PageRequest, PageResponse
from daemon.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_log = logging.getLogger(__name__)

_MAX_REQUEST_BYTES = 16_384
_MAX_CONNECTIONS = 32
_JSON = "application/json"
_REPORTS = "/reports"
#: Set by proxies that ask for somebody else.
_PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via")

#: What socketserver's types call a request; here it is always a connection.
_Request: TypeAlias = socket.socket | tuple[bytes, socket.socket]


class CannotListen(DaemonError):
    """The address of the HTTP server can't be had."""


class HttpServer:
    """Answers GET on /metrics, /livez and /readyz, and on /reports where given, from construction to ``close``.

    A request is bounded in bytes and time, and nothing of it is repeated in an answer. Closing cuts connections
    that are still open and leaves no thread behind.
    """

    def __init__(
        self,
        host: str,
        port: int,
        metrics: Metrics,
        health: Health,
        *,
        reports: Page | None = None,
        request_timeout_s: float = 5.0,
    ) -> None:
        """Listen on ``host`` and ``port``; port 0 takes a free one. ``reports`` answers all paths in /reports.

        Raises CannotListen.
        """
        pages: dict[str, Page] = {
            "/metrics": lambda asked: _exposition(metrics, asked),
            "/livez": lambda _: _probe(health.live()),
            "/readyz": lambda _: _probe(health.ready()),
        }
        if reports is not None:
            pages[_REPORTS] = reports
        try:
            self._server = _Server(host, port, pages, request_timeout_s)
        except OSError as error:
            raise CannotListen(
                f"can't listen on {host}:{port}: {error.strerror}; set http.host and http.port to a free address"
            ) from error
        # Without a poll interval of its own, closing would wait half a second.
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="http")
        self._thread.start()

    @property
    def host(self) -> str:
        """The address that is listened on."""
        return str(self._server.server_address[0])

    @property
    def port(self) -> int:
        """The port that is listened on, also where any free one was asked for."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening, cut open connections and wait for all threads."""
        self._server.shutdown()
        self._thread.join()
        self._server.cut()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _exposition(metrics: Metrics, asked: PageRequest) -> PageResponse:
    content_type, body = metrics.exposition(asked.accept)
    return PageResponse(status=HTTPStatus.OK, content_type=content_type, body=body)


def _probe(answer: Answer) -> PageResponse:
    status = HTTPStatus.OK if answer.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return PageResponse(status=status, content_type=_JSON, body=json.dumps(answer.body).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them
    request_queue_size = _MAX_CONNECTIONS

    def __init__(self, host: str, port: int, pages: Mapping[str, Page], request_timeout_s: float) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.pages = pages
        self.request_timeout_s = request_timeout_s
        self._lock = Lock()
        self._open: set[_Request] = set()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind, but don't look the host's name up as HTTPServer does: DNS may hang."""
        TCPServer.server_bind(self)

    def verify_request(self, request: _Request, *_: object) -> bool:
        """Take the connection, or drop it where too many are open."""
        with self._lock:
            free = len(self._open) < _MAX_CONNECTIONS
            if free:
                self._open.add(request)
        return free

    def shutdown_request(self, request: _Request) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """A client that goes away or dawdles is its own affair; anything else is ours."""
        if isinstance(sys.exc_info()[1], OSError):
            _log.debug("a client went away before it had its answer")
        else:
            _log.exception("a request could not be answered")

    def cut(self) -> None:
        """Wake the threads that wait for a client."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    cast("socket.socket", connection).shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request, then closes the connection."""

    server: _Server
    connection: socket.socket

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_BoundedReader(self.connection, self.server.request_timeout_s))

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        page = self.server.pages.get(_REPORTS if path.startswith(f"{_REPORTS}/") else path)
        if page is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        asked = PageRequest(
            path=path,
            peer=str(self.client_address[0]),
            accept=self.headers.get("Accept", ""),
            host=self.headers.get("Host", ""),
            proxied=any(name in self.headers for name in _PROXY_HEADERS),
        )
        self._answer(page(asked))

    def send_error(self, code: int, *_: object) -> None:
        """Answer with the status alone: the base class would repeat the request."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:  # how the base class calls any method without a do_
            status = HTTPStatus.METHOD_NOT_ALLOWED
        body = json.dumps({"error": status.phrase}).encode()
        self._answer(PageResponse(status=status, content_type=_JSON, body=body))

    def _answer(self, answered: PageResponse) -> None:
        status = answered.status
        self.close_connection = True
        self.connection.settimeout(self.server.request_timeout_s)
        self.send_response(status, status.phrase)
        self.send_header("Content-Type", answered.content_type)
        self.send_header("Content-Length", str(len(answered.body)))
        self.send_header("Connection", "close")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in answered.headers.items():
            self.send_header(name, value)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answered.body)

    def version_string(self) -> str:
        return "retuned"

    def log_message(self, *_: object) -> None:
        """Probes and scrapes are no news."""


class _BoundedReader(io.RawIOBase):
    """A connection's bytes until there were too many or they took too long; then an error."""

    def __init__(self, connection: socket.socket, timeout_s: float) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + timeout_s
        self._left = _MAX_REQUEST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read some bytes. Raises TimeoutError past the deadline and _TooLong past the limit."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        if self._left <= 0:
            raise _TooLong
        self._connection.settimeout(left_s)
        got = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= got
        return got


class _TooLong(ConnectionError):
    """The client sends more than any request for these pages needs."""
