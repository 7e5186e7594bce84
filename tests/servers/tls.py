"""TLS for a broker that speaks none: certificates made for a test, and what a proxy does to end TLS."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme

from tests.servers.proxy import Serve, let_read, pass_on


@dataclass(frozen=True, slots=True)
class Pem:
    """Files of one authority, and of a certificate that it signed."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def made(cls, folder: Path, *names: str) -> Self:
        """Have a new authority sign a certificate for these names."""
        folder.mkdir(parents=True)
        made = cls(*(folder / name for name in ("authority.pem", "certificate.pem", "key.pem")))
        authority = trustme.CA()
        issued = authority.issue_cert(*names)
        made.authority.write_bytes(authority.cert_pem.bytes())
        made.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        made.key.write_bytes(issued.private_key_pem.bytes())
        return made


def ending_tls(server: Pem, *, clients_of: Pem | None = None) -> Serve:
    """Return what a proxy does to speak TLS as ``server``, with clients that another authority signed if so wanted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    if clients_of is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients_of.authority)

    def serve(client: socket.socket, reach: Callable[[], socket.socket]) -> None:
        with context.wrap_socket(client, server_side=True, do_handshake_on_connect=False) as secured:
            try:
                secured.do_handshake()
            except ssl.SSLError:
                let_read(secured)
                return
            with reach() as onward:
                pass_on(secured, onward)

    return serve
