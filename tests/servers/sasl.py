"""SASL for a broker that knows none: a proxy's way to ask for a password and check it, PLAIN and SCRAM."""

import base64
import hashlib
import hmac
import socket
import struct
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.servers.proxy import pass_on

_API_VERSIONS, _HANDSHAKE, _AUTHENTICATE = 18, 17, 36
_WRONG_PASSWORD = 58
_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
_SALT, _ROUNDS = b"salt", 4096


#: Takes the client's messages; gives the broker's, and at last the user, whether it is let in, and the last message.
_Dialogue: TypeAlias = Generator[bytes | tuple[str, bool, bytes], bytes, None]


@dataclass(slots=True)
class SaslGate:
    """Lets in one user, by any mechanism."""

    user: str
    password: str
    #: Mechanism, user and whether the password was right, of each attempt.
    attempts: list[tuple[str, str, bool]] = field(default_factory=list)

    def serve(self, client: socket.socket, reach: Callable[[], socket.socket]) -> None:
        """Answer until the user is let in, then pass on; hang up on who asks for anything else before."""
        with reach() as onward:
            mechanism = ""
            while (request := _read(client)) is not None:
                if request.key == _API_VERSIONS:
                    onward.sendall(request.frame)
                    client.sendall(_frame(onward) or b"")
                elif request.key == _HANDSHAKE:
                    mechanism = request.text()
                    client.sendall(request.answered(_mechanisms()))
                elif request.key == _AUTHENTICATE:
                    if self._lets_in(client, mechanism, request):
                        pass_on(client, onward)
                    while client.recv(1024):  # a broker hangs up late, so that the refusal is read
                        pass
                    return
                else:
                    return

    def _lets_in(self, client: socket.socket, mechanism: str, request: "_Request") -> bool:
        """Hold the dialogue of one mechanism, whose first message has come already."""
        dialogue = self._plain() if mechanism == "PLAIN" else self._scram(_HASHES[mechanism])
        next(dialogue)
        while not isinstance(reply := dialogue.send(request.token()), tuple):
            client.sendall(request.authenticated(0, reply))
            following = _read(client)
            assert following is not None
            request = following
        user, right, last = reply
        self.attempts.append((mechanism, user, right))
        client.sendall(request.authenticated(0 if right else _WRONG_PASSWORD, last))
        return right

    def _plain(self) -> _Dialogue:
        token = yield b""
        _, user, password = token.decode().split("\0")
        yield user, (user, password) == (self.user, self.password), b""

    def _scram(self, name: str) -> _Dialogue:
        """See RFC 5802."""
        first = (yield b"").decode().removeprefix("n,,")
        user, nonce = _attributes(first)["n"], _attributes(first)["r"] + "server"
        challenge = f"r={nonce},s={base64.b64encode(_SALT).decode()},i={_ROUNDS}"
        final = (yield challenge.encode()).decode()
        spoken = f"{first},{challenge},{final.rpartition(',p=')[0]}".encode()
        salted = hashlib.pbkdf2_hmac(name, self.password.encode(), _SALT, _ROUNDS)
        client_key = hmac.digest(salted, b"Client Key", name)
        signature = hmac.digest(hashlib.new(name, client_key).digest(), spoken, name)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        right = user == self.user and base64.b64decode(_attributes(final)["p"]) == proof
        server = hmac.digest(hmac.digest(salted, b"Server Key", name), spoken, name)
        yield user, right, b"v=" + base64.b64encode(server)


def _attributes(message: str) -> dict[str, str]:
    return {part[0]: part[2:] for part in message.split(",")}


def _mechanisms() -> bytes:
    """Return the body of SaslHandshake's answer."""
    names = [name.encode() for name in ("PLAIN", *_HASHES)]
    return struct.pack(">hi", 0, len(names)) + b"".join(struct.pack(">h", len(name)) + name for name in names)


@dataclass(frozen=True, slots=True)
class _Request:
    """One request of a client. From version 2 on SaslAuthenticate has lengths of variable size, and tags."""

    frame: bytes
    key: int
    version: int
    correlation: int
    body: bytes

    def text(self) -> str:
        """Return the string that the body begins with."""
        return self.body[2 : 2 + int.from_bytes(self.body[:2], "big")].decode()

    def token(self) -> bytes:
        """Return the bytes that SaslAuthenticate carries."""
        if self.version < 2:
            return self.body[4:]
        tagless = self.body[1:]  # of the header's tags there are none
        size, width = tagless[0], 1
        if size & 0x80:
            size, width = (size & 0x7F) | tagless[1] << 7, 2
        return tagless[width : width + size - 1]

    def authenticated(self, code: int, token: bytes) -> bytes:
        """Return SaslAuthenticate's answer."""
        if self.version < 2:
            return self.answered(struct.pack(">hhi", code, -1, len(token)) + token + struct.pack(">q", 0))
        size = len(token) + 1
        width = bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
        return self.answered(
            b"\0" + struct.pack(">h", code) + b"\0" + width + token + struct.pack(">q", 0) + b"\0"
        )

    def answered(self, body: bytes) -> bytes:
        """Return an answer's frame."""
        return struct.pack(">ii", 4 + len(body), self.correlation) + body


def _read(client: socket.socket) -> _Request | None:
    """Read one request; None where the client hung up. The header has the client's name before the body."""
    if (frame := _frame(client)) is None:
        return None
    key, version, correlation, length = struct.unpack_from(">hhih", frame, 4)
    return _Request(frame, key, version, correlation, frame[14 + max(0, length) :])


def _frame(sock: socket.socket) -> bytes | None:
    """Read one request or answer, its size before it; None where the other side hung up."""
    size = _exactly(sock, 4)
    rest = None if size is None else _exactly(sock, int.from_bytes(size, "big"))
    return None if size is None or rest is None else size + rest


def _exactly(sock: socket.socket, count: int) -> bytes | None:
    found = b""
    while len(found) < count:
        if not (chunk := sock.recv(count - len(found))):
            return None
        found += chunk
    return found
