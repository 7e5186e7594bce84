"""Closes the sockets of connections that did not come about."""

import socket
from typing import Any

from daemon.kafka.library import KafkaNetSocket


class ClosingNetSocket(KafkaNetSocket):  # type: ignore[misc]
    """Closes a socket that could not connect. The client's own leaves it open until the garbage collector finds it."""

    SCHEMES = ()  # of proxies: none

    async def sock_connect(
        self, net: Any, sock: socket.socket, sockaddr: Any, timeout_at: float | None = None
    ) -> socket.socket:
        """Return the socket once it is connected. Raises what the client's own raises."""
        try:
            connected: socket.socket = await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except Exception:
            sock.close()
            raise
        return connected
