"""TLS to Kafka: uses the PEM files as they are now, and ends handshakes that nobody answers."""

import contextlib
import socket
import ssl
import weakref
from collections.abc import Callable

from daemon.kafka.pem import no_password
from daemon.kafka.settings import KafkaSettings

#: An answer takes a round trip or two.
_HANDSHAKE_TIMEOUT_S = 3.0


class ClientTls:
    """Stands in for the client's ``ssl.SSLContext``.

    The files are read anew for each connection, so a certificate that was renewed is used without a restart.
    """

    def __init__(
        self, settings: KafkaSettings, *, later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        """``later`` calls something after that many seconds, on the thread that uses the sockets."""
        self._settings = settings
        self._later = later

    def wrap_socket(
        self, sock: socket.socket, *, server_hostname: str | None, do_handshake_on_connect: bool
    ) -> ssl.SSLSocket:
        """See ``ssl.SSLContext.wrap_socket``; the client calls it so. Raises OSError for bad files."""
        wrapped = _context(self._settings).wrap_socket(
            sock, server_hostname=server_hostname, do_handshake_on_connect=do_handshake_on_connect
        )
        known = weakref.ref(wrapped)
        self._later(_HANDSHAKE_TIMEOUT_S, lambda: _hang_up(known()))
        return wrapped


def _hang_up(sock: ssl.SSLSocket | None) -> None:
    """End a handshake that still goes on: a port that speaks no TLS may never answer, and the client would wait."""
    if sock is not None and sock.fileno() != -1 and sock.version() is None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # the SSLSocket's own would forget its handshake


class _Socket(ssl.SSLSocket):
    """Closes when its handshake fails: the client leaves that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            self.close()
            raise


def _context(settings: KafkaSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
    context.sslsocket_class = _Socket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ssl_cafile:
        context.load_verify_locations(settings.ssl_cafile)
    else:
        context.load_default_certs()
    if settings.ssl_certfile:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password=no_password)
    return context
