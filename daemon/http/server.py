"""Serves metrics, probes and reports over HTTP from a thread of its own, so a busy loop still answers."""

import socket
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

from daemon.config.addresses import bracketed
from daemon.config.settings import HttpSection
from daemon.domain.errors import DaemonError
from daemon.http.limits import Limits
from daemon.http.served import Exposition, Probes, ReportSources
from daemon.telemetry.log_context import carried

if TYPE_CHECKING:
    from uvicorn import Server

_BACKLOG = 128


class CannotListen(DaemonError):
    """The address of the HTTP server is not available."""


class HttpServer:
    """Answers GET on /metrics, /livez and /readyz, and for reports where a line has some, between start and close.

    The server bounds each request in bytes and time. No response repeats a part of its request.
    """

    def __init__(
        self,
        http: HttpSection,
        metrics: Exposition,
        probes: Probes,
        *,
        reports: ReportSources | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._http = http
        self._metrics = metrics
        self._probes = probes
        self._reports = reports or ReportSources()
        self._limits = limits or Limits()
        self._listener: socket.socket | None = None
        self._server: Server | None = None
        self._built = Event()
        self._thread = Thread(target=carried(self._serve), name="http")

    def start(self) -> Self:
        """Listen on the configured address and serve; port 0 takes a free port.

        Raises CannotListen. The thread loads the web framework while the caller goes on; clients wait in the backlog.
        """
        self._listener = _listen(self._http.host, self._http.port)
        self._thread.start()
        return self

    @property
    def host(self) -> str:
        """The address that the server listens on."""
        return str(self._address()[0])

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return int(self._address()[1])

    def close(self) -> None:
        """Stop listening, cut open connections and end the thread."""
        if self._listener is None:
            return
        self._built.wait()
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join()
        self._listener.close()
        self._listener = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _address(self) -> tuple[str, int]:
        if self._listener is None:
            raise RuntimeError("the HTTP server has not started")
        host, port, *_ = self._listener.getsockname()
        return host, port

    def _serve(self) -> None:
        if self._listener is None:
            return
        try:
            from daemon.http.app import build_app
            from daemon.http.uvicorn_server import build_server

            app = build_app(
                self._metrics,
                self._probes,
                self._reports,
                access=self._http.reports,
                limits=self._limits,
            )
            self._server = build_server(app, self._limits)
        finally:
            self._built.set()
        self._server.run(sockets=[self._listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return bind_listener(host, port, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListen(
            f"can't listen on {bracketed(host)}:{port}: {error.strerror or error}; set http.host and http.port to a "
            "free address"
        ) from error


def bind_listener(host: str, port: int, *, backlog: int) -> socket.socket:
    """Listen on an address or the first address of a name, IPv4 before IPv6. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener
