"""Hands over the last bytes of a connection that the broker closes."""

from daemon.kafka.library import KafkaSSLTransport, KafkaTCPTransport


class CompleteTcpTransport(KafkaTCPTransport):  # type: ignore[misc]
    """Reads everything before it reports the end of a connection.

    The client's own drops what arrives together with the end, such as why the broker refuses a login.
    """

    def _sock_recv(self) -> tuple[bytes, Exception | None]:
        return _data_first(*super()._sock_recv())


class CompleteTlsTransport(KafkaSSLTransport):  # type: ignore[misc]
    """The same for TLS."""

    def _sock_recv(self) -> tuple[bytes, Exception | None]:
        return _data_first(*super()._sock_recv())


def _data_first(data: bytes, error: Exception | None) -> tuple[bytes, Exception | None]:
    """Leave the error to the next read if there is data: the socket reports it again."""
    return (data, None) if data else (data, error)
