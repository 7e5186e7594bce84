"""A proxy before a broker, for what the broker itself can't do: TLS, SASL."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeAlias

_CHUNK = 1 << 16

#: Serves one client until it hangs up, given how to reach the broker.
Serve: TypeAlias = Callable[[socket.socket, Callable[[], socket.socket]], None]


class Proxy:
    """Listens on a free port of 127.0.0.1. ``upstream`` is the broker's port, once that is known."""

    def __init__(self, serve: Serve) -> None:
        self.upstream = 0
        self._serve_one = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._clients: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, name="proxy")

    @property
    def address(self) -> str:
        """Where clients reach it."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _hang_up(self._listener)
        self._accepting.join(10)
        for sock in self._open:
            _hang_up(sock)
        for thread in self._clients:
            thread.join(10)

    def _accept(self) -> None:
        with self._listener, contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(threading.Thread(target=self._serve, args=(client,), name="proxy"))
                self._clients[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client.dup() as held:  # TLS takes the other object's descriptor away
            self._open.append(held)
            with client, contextlib.suppress(OSError):
                self._serve_one(client, self._reach)
            _hang_up(held)

    def _reach(self) -> socket.socket:
        self._open.append(socket.create_connection(("127.0.0.1", self.upstream)))
        return self._open[-1]


def pass_on(client: socket.socket, onward: socket.socket) -> None:
    """Pass on what comes, both ways, until either side hangs up."""
    sides = {client: onward, onward: client}
    while True:
        for side in select.select(list(sides), [], [])[0]:
            chunk = side.recv(_CHUNK)
            if isinstance(side, ssl.SSLSocket):
                while side.pending():
                    chunk += side.recv(side.pending())
            if not chunk:
                return
            sides[side].sendall(chunk)


def let_read(refused: socket.socket) -> None:
    """Wait until a client has hung up, so that it reads why it is refused, and not of a reset connection."""
    socket.socket.shutdown(refused, socket.SHUT_WR)
    while socket.socket.recv(refused, _CHUNK):
        pass


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
