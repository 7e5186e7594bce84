"""HTTP/1.1 connections with the bounds that uvicorn leaves out.

Imports uvicorn, so only the serving thread imports this module.
"""

import asyncio
import json
import socket
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from daemon.http.limits import Limits


class BoundedProtocol(H11Protocol):
    """Drops connections beyond the limits, and clients that send or read too slowly."""

    limits = Limits()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, or drop it when too many are open."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        # Sockets that asyncio did not create itself keep Nagle's delay otherwise.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._start_deadline()

    def data_received(self, data: bytes) -> None:
        """Read a part of the request; a complete one stops the client's clock."""
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._stop_deadline()

    def on_response_complete(self) -> None:
        """Give the client a limited time to read the response."""
        super().on_response_complete()
        if self._unsent_bytes() > self.limits.unsent_bytes:
            self.transport.abort()
        else:
            self._start_deadline()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Refuse a malformed request. The response repeats nothing of the request."""
        body = json.dumps({"error": HTTPStatus.BAD_REQUEST.phrase}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            (b"x-content-type-options", b"nosniff"),
        ]
        reason = HTTPStatus.BAD_REQUEST.phrase.encode()
        response = h11.Response(status_code=HTTPStatus.BAD_REQUEST, headers=headers, reason=reason)
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_deadline()
        super().connection_lost(exc)

    def _unsent_bytes(self) -> int:
        return sum(connection.transport.get_write_buffer_size() for connection in self.connections)

    def _start_deadline(self) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(self.limits.client_timeout_s, self.transport.abort)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
