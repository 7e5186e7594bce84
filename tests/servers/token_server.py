"""An OAuth server: issues signed tokens by client credentials, and shows the keys to check them with."""

import base64
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote_plus

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.servers.local_server import LocalServer
from tests.servers.tls import Pem

ISSUER, AUDIENCE = "https://login.test", "kafka"

#: Status, headers and body of an answer.
Answer: TypeAlias = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked."""

    client_id: str
    secret: str
    form: dict[str, str]


@dataclass(slots=True)
class Issuer:
    """Whom it knows and what its tokens say. Change any of it while the server runs."""

    client_id: str = "retuned"
    secret: str = "s3cret/+ %"
    life_s: float = 3_600
    audience: str = AUDIENCE
    #: Given in place of a token.
    instead: Callable[[Request], Answer] | None = None
    requests: list[Request] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, parameters={"kid": "k-1"}))

    def answer(self, request: Request) -> Answer:
        """Answer a request for a token as RFC 6749 has it."""
        self.requests.append(request)
        if self.instead is not None:
            return self.instead(request)
        if (request.client_id, request.secret) != (self.client_id, self.secret):
            return as_json(401, error="invalid_client", error_description="no such client, or another secret")
        if request.form.get("grant_type") != "client_credentials":
            return as_json(400, error="unsupported_grant_type")
        return as_json(200, access_token=self.token(), token_type="Bearer", expires_in=self.life_s)

    def token(self) -> str:
        """Sign a token."""
        now = time.time()
        claims = {
            "iss": ISSUER, "sub": self.client_id, "aud": self.audience, "scope": "kafka",
            "iat": int(now), "exp": math.ceil(now + self.life_s),
        }  # fmt: skip
        self.tokens.append(jwt.encode({"alg": "RS256", "kid": "k-1"}, claims, self.key))
        return self.tokens[-1]

    def keys(self) -> Answer:
        """Show the public keys."""
        return as_json(200, keys=[self.key.as_dict(private=False) | {"use": "sig", "alg": "RS256"}])


def as_json(status: int, **document: object) -> Answer:
    """Return an answer with a JSON object."""
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


class TokenServer(LocalServer):
    """Serves an issuer until its end, over TLS if it has a certificate."""

    def __init__(self, issuer: Issuer, *, tls: Pem | None = None) -> None:
        super().__init__(_handler(issuer), tls=tls)

    @property
    def token_url(self) -> str:
        """Where tokens are issued."""
        return f"{self.origin}/token"

    @property
    def keys_url(self) -> str:
        """Where the keys are."""
        return f"{self.origin}/keys"


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(issuer.keys())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            pair = form.pop("client_id", ""), form.pop("client_secret", "")
            if (header := self.headers.get("Authorization", "")).startswith("Basic "):
                name, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
                pair = unquote_plus(name), unquote_plus(secret)
            self._send(issuer.answer(Request(*pair, form)))

        def _send(self, answer: Answer) -> None:
            status, headers, body = answer
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Print nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                return  # a handshake that the client broke off

    return Handler
