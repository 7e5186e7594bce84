"""An endpoint with OpenAI's API, on a free port of 127.0.0.1, that can be told to misbehave."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, TypeAlias

from tests.servers.local_server import LocalServer
from tests.servers.tls import Pem

#: Answers a request in place of the endpoint: writes to the handler's connection whatever it likes.
Misbehave: TypeAlias = Callable[["Handler"], None]
Messages: TypeAlias = list[dict[str, str]]


@dataclass(slots=True)
class Model:
    """What the endpoint serves and how. Change any of it while the server runs."""

    name: str = "teacher-1"
    key: str | None = "k-secret"
    answer: Callable[[Messages], str] = lambda messages: f"The answer to: {messages[-1]['content']}"
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
    )
    #: Taken one by one, each for one request, before the endpoint answers as it should. The last one stays if ``for_ever``.
    misbehaviour: list[Misbehave] = field(default_factory=list)
    for_ever: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)  # bodies of chat completions
    paths: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_misbehaviour(self) -> Misbehave | None:
        with self.lock:
            if not self.misbehaviour:
                return None
            return self.misbehaviour[0] if self.for_ever else self.misbehaviour.pop(0)

    def completion(self, messages: Messages) -> dict[str, Any]:
        """A chat completion as OpenAI's API has it."""
        document = completion(self.answer(messages)) | {"model": self.name}
        return document if self.usage is None else document | {"usage": self.usage}


def completion(content: object, **choice: object) -> dict[str, Any]:
    """Return a chat completion with this content, and these fields of its choice instead."""
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, **choice}],
    }


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    model: Model

    def do_GET(self) -> None:
        self.model.paths.append(self.path)
        if (misbehave := self.model.next_misbehaviour()) is not None:
            misbehave(self)
        elif not self._is_known():
            self.error(401, "invalid_api_key", "Incorrect API key provided")
        elif self.path == "/v1/models":
            self.json(200, {"object": "list", "data": [{"id": self.model.name, "object": "model"}]})
        else:
            self.error(404, None, "Not Found")

    def do_POST(self) -> None:
        self.model.paths.append(self.path)
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.model.requests.append(request)
        if (misbehave := self.model.next_misbehaviour()) is not None:
            misbehave(self)
        elif not self._is_known():
            self.error(
                401, "invalid_api_key", "Incorrect API key provided: " + self.headers.get("Authorization", "")
            )
        elif self.path != "/v1/chat/completions":
            self.error(404, None, "Not Found")
        elif request["model"] != self.model.name:
            self.error(404, "model_not_found", f"The model `{request['model']}` does not exist")
        else:
            self.json(200, self.model.completion(request["messages"]))

    def error(self, status: int, code: str | None, message: str, **headers: str) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        self.json(status, {"error": error}, **headers)

    def json(self, status: int, document: object, **headers: str) -> None:
        self.send(status, json.dumps(document).encode(), **headers)

    def send(
        self, status: int, body: bytes, *, content_type: str = "application/json", **headers: str
    ) -> None:
        """Send an answer; a header's name is written with underscores."""
        self.send_response(status)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **given}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _is_known(self) -> bool:
        key = self.model.key
        return key is None or self.headers.get("Authorization") == f"Bearer {key}"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            return  # the client has gone


def answering(document: object, *, status: int = 200, **headers: str) -> Misbehave:
    """Answer with this JSON."""
    return lambda handler: handler.json(status, document, **headers)


def sending(
    body: bytes, *, status: int = 200, content_type: str = "application/json", **headers: str
) -> Misbehave:
    """Answer with these bytes."""
    return lambda handler: handler.send(status, body, content_type=content_type, **headers)


def refusing(status: int, *, code: str | None = None, message: str = "no", **headers: str) -> Misbehave:
    """Answer with an error."""
    return lambda handler: handler.error(status, code, message, **headers)


def hanging(handler: Handler) -> None:
    """Answer nothing until the server ends."""
    handler.model.closing.wait(30)
    handler.close_connection = True


def dripping(handler: Handler) -> None:
    """Begin an answer and go on a byte at a time, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.model.closing.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()
    handler.close_connection = True


def slow(seconds: float) -> Misbehave:
    """Answer well, after a while."""

    def answer(handler: Handler) -> None:
        time.sleep(seconds)
        handler.json(200, handler.model.completion(handler.model.requests[-1]["messages"]))

    return answer


def chunked(handler: Handler) -> None:
    """Answer well, in chunks without a length."""
    body = json.dumps(handler.model.completion(handler.model.requests[-1]["messages"])).encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for start in range(0, len(body), 7):
        part = body[start : start + 7]
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
    handler.wfile.write(b"0\r\n\r\n")


def endless(handler: Handler) -> None:
    """Send spaces for ever, in chunks."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    part = b" " * 65_536
    while not handler.model.closing.is_set():
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))


def closing_at_once(handler: Handler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def closing_half_way(handler: Handler) -> None:
    """Close the connection in the middle of the answer."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


class OpenAiServer(LocalServer):
    """Serves a model until its end, over TLS if it has a certificate."""

    def __init__(self, model: Model, *, tls: Pem | None = None) -> None:
        super().__init__(type("ModelHandler", (Handler,), {"model": model}), tls=tls)
        self._model = model

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{self.origin}/v1"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._model.closing.set()
        super().__exit__(kind, error, trace)
