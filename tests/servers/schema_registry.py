"""A schema registry with Confluent's interface, on a free port of 127.0.0.1."""

import base64
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.servers.local_server import LocalServer


@dataclass(slots=True)
class Registered:
    """What the registry holds and how it answers. Change any of it while the server runs."""

    schemas: dict[str, dict[str, object]] = field(default_factory=dict)  # by the path of the request
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None  # given in place of any schema
    asked: list[str] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)


class SchemaRegistryServer(LocalServer):
    """Serves schemas until its end."""

    def __init__(self, registered: Registered) -> None:
        super().__init__(_handler(registered))

    @property
    def url(self) -> str:
        return self.origin


def _handler(registered: Registered) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registered.asked.append(self.path)
            given = self.headers.get("Authorization")
            registered.logins.append(given and base64.b64decode(given.removeprefix("Basic ")).decode())
            found = registered.schemas.get(self.path)
            status = (
                registered.status if registered.status != 200 else 200 if found or registered.body else 404
            )
            body = registered.body if registered.body is not None else json.dumps(found or {}).encode()
            self.send_response(status)
            for name, value in registered.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler
