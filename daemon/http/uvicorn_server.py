"""A uvicorn server that suits a thread of a daemon.

Imports uvicorn, so only the serving thread imports this module.
"""

import asyncio
import socket
from typing import TYPE_CHECKING

from uvicorn import Config, Server

from daemon.http.limits import Limits
from daemon.http.protocol import BoundedProtocol

if TYPE_CHECKING:
    from litestar import Litestar

_POLL_S = 0.05
_CLOSE_WITHIN_S = 1


def build_server(app: "Litestar", limits: Limits) -> Server:
    """Return a server for ``app`` within ``limits``. It logs errors alone and names no product or version."""
    protocol = type("LimitedProtocol", (BoundedProtocol,), {"limits": limits})
    config = Config(
        app,
        loop="asyncio",
        http=protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        workers=1,  # else WEB_CONCURRENCY in the environment decides
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_CLOSE_WITHIN_S,
        h11_max_incomplete_event_size=limits.request_bytes,
    )
    return _PromptServer(config)


class _PromptServer(Server):
    """Stops at once: it polls often and cuts connections instead of waiting for their clients."""

    async def main_loop(self) -> None:
        """Serve until ``should_exit``."""
        turn = 0
        while not await self.on_tick(turn):
            turn += 1
            await asyncio.sleep(_POLL_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut open connections, then stop."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)
