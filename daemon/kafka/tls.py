"""TLS to Kafka: reads the PEM files for each connection, and ends handshakes that get no answer."""

import contextlib
import socket
import ssl
import weakref
from collections.abc import Callable

from daemon.kafka.pem import no_password
from daemon.kafka.settings import KafkaSettings

_HANDSHAKE_TIMEOUT_S = 3.0


class ClientTls:
    """Takes the place of the client's ``ssl.SSLContext``.

    It reads the files for each connection, so that a renewed certificate is used without a restart.
    """

    def __init__(
        self, settings: KafkaSettings, *, later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        """``later`` schedules a call after a number of seconds, on the thread that uses the sockets."""
        self._settings = settings
        self._later = later

    def wrap_socket(
        self, sock: socket.socket, *, server_hostname: str | None, do_handshake_on_connect: bool
    ) -> ssl.SSLSocket:
        """See ``ssl.SSLContext.wrap_socket``. Raises OSError for bad files."""
        wrapped = _context(self._settings).wrap_socket(
            sock, server_hostname=server_hostname, do_handshake_on_connect=do_handshake_on_connect
        )
        reference = weakref.ref(wrapped)
        self._later(_HANDSHAKE_TIMEOUT_S, lambda: _end_handshake(reference()))
        return wrapped


def _end_handshake(sock: ssl.SSLSocket | None) -> None:
    """Close a socket whose handshake is unfinished: a port without TLS may never answer, and the client would wait."""
    if sock is not None and sock.fileno() != -1 and sock.version() is None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(
                sock, socket.SHUT_RDWR
            )  # SSLSocket.shutdown would drop the handshake's state


class _Socket(ssl.SSLSocket):
    """Closes when its handshake fails, which the client leaves to the garbage collector."""

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
