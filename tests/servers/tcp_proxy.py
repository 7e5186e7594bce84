"""A TCP proxy that can lose what passes through it, cut connections, and change answers."""

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_READ = 2**16
_AT_ONCE = struct.pack("ii", 1, 0)  # a socket that is closed so sends RST


class TcpProxy:
    """Listens on a free port of 127.0.0.1 and forwards to another; runs on a thread of its own.

    Black-holed, it accepts connections and bytes and forwards none. Once healed, what it swallowed stays lost: the
    connections of that time never answer, new ones work.
    """

    def __init__(self, target_port: int = 0) -> None:
        self.target_port = target_port
        #: Turns bytes on their way to a client into others.
        self.rewrite: Callable[[bytes], bytes] | None = None
        #: A connection on which bytes that this holds for are sent to the broker is lost from then on, once.
        self.lose_at: Callable[[bytes], bool] | None = None
        #: It is a black hole after so many answers from now on.
        self.black_hole_after: int | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._peers: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._lost: set[socket.socket] = set()  # ends of connections that were black-holed
        self._silent = False
        self._reset_after: int | None = None
        self._resets = 0
        self._commands: list[Callable[[], object]] = []
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="tcp-proxy")

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def resets(self) -> int:
        """Connections that were reset so far."""
        return self._resets

    def black_hole(self) -> None:
        """From now on nothing passes, on any connection."""
        self._do(lambda: self._set_silent(True))

    def heal(self) -> None:
        """New connections work again, and nothing is reset or rewritten any more."""
        self._do(lambda: self._set_silent(False))

    def reset(self) -> None:
        """Cut every connection with RST."""
        self._do(self._cut_all)

    def reset_mid_response(self, after: int) -> None:
        """From now on every connection is reset once so many bytes of an answer of more have passed."""
        self._do(lambda: setattr(self, "_reset_after", after))

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._wake.send(b"x")
        self._thread.join(10)
        for left in (self._listener, self._wake, self._woken, *self._peers):
            left.close()
        self._selector.close()

    def _do(self, command: Callable[[], object]) -> None:
        done = threading.Event()
        self._commands += [command, done.set]
        self._wake.send(b"x")
        assert done.wait(10), "the proxy does not answer"

    def _cut_all(self) -> None:
        for client in list(self._clients):
            self._cut(client)

    def _set_silent(self, silent: bool) -> None:
        self._silent = silent
        if silent:
            self._lost.update(self._peers)
        else:
            self._reset_after = self.rewrite = self.black_hole_after = None

    def _run(self) -> None:
        while not self._over:
            for key, _ in self._selector.select():
                self._serve(key.fileobj)  # type: ignore[arg-type]

    def _serve(self, ready: socket.socket) -> None:
        if ready is self._woken:
            ready.recv(_READ)
            while self._commands:
                self._commands.pop(0)()
        elif ready is self._listener:
            self._accept()
        elif ready in self._peers:
            self._forward(ready)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.settimeout(5)
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
        except OSError:
            client.close()
            return
        self._peers[client], self._peers[server] = server, client
        self._clients.add(client)
        if self._silent:
            self._lost.update((client, server))
        for end in (client, server):
            self._selector.register(end, selectors.EVENT_READ)

    def _forward(self, source: socket.socket) -> None:
        try:
            data = source.recv(_READ)
        except OSError:
            data = b""
        if not data:
            self._cut(source, politely=True)
        elif source not in self._lost:
            self._pass_on(source, data)

    def _pass_on(self, source: socket.socket, data: bytes) -> None:
        to_client = source not in self._clients
        if not to_client and self.lose_at is not None and self.lose_at(data):
            self.lose_at = None
            self._lost.update((source, self._peers[source]))
            return
        if to_client and self.rewrite is not None:
            data = self.rewrite(data)
        cut = to_client and self._reset_after is not None and len(data) > self._reset_after
        with contextlib.suppress(OSError):
            self._peers[source].sendall(data[: self._reset_after] if cut else data)
        if cut:
            self._cut(source)
        elif to_client and self.black_hole_after is not None:
            self.black_hole_after -= 1
            if self.black_hole_after == 0:
                self._set_silent(True)

    def _cut(self, end: socket.socket, *, politely: bool = False) -> None:
        """Close a connection's both ends."""
        for side in (end, self._peers[end]):
            self._selector.unregister(side)
            del self._peers[side]
            self._lost.discard(side)
            if not politely and side in self._clients:
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                self._resets += 1
            self._clients.discard(side)
            side.close()
