"""Serves the API of a fake cluster over HTTP, for clients with a kubeconfig."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.fakes.kubernetes import Change, Document, FakeCluster, Refused
from tests.servers.local_server import LocalServer

NAMESPACE, TOKEN = "training", "t0k3n"


class KubernetesServer(LocalServer):
    """A cluster with one namespace."""

    def __init__(self, cluster: FakeCluster | None = None) -> None:
        self.cluster = cluster or FakeCluster()
        self.stopped = threading.Event()
        server = self

        class Handler(_Handler):
            cluster = server.cluster
            stopped = server.stopped

        super().__init__(Handler)

    def kubeconfig(self, folder: Path, *, token: str = TOKEN) -> Path:
        """Write a kubeconfig."""
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.origin}}],
            "users": [{"name": "daemon", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "daemon", "namespace": NAMESPACE}}],
        }  # fmt: skip
        file = folder / "kubeconfig.yaml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        return file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        super().__exit__(kind, error, trace)


class _Handler(BaseHTTPRequestHandler):
    cluster: FakeCluster
    stopped: threading.Event
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({"watch": "watch", "": "list"})

    def do_POST(self) -> None:
        self._answer({"": "create"})

    def do_PUT(self) -> None:
        self._answer({"": "update"})

    def do_PATCH(self) -> None:
        self._answer({"": "patch"})

    def do_DELETE(self) -> None:
        self._answer({"": "delete"})

    def log_message(self, *_: Any) -> None: ...

    def _answer(self, verbs: dict[str, str]) -> None:
        url = urlsplit(self.path)
        self._query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        self._body: Document = json.loads(self.rfile.read(length)) if length else {}
        try:
            fault = self.cluster.next_fault()
            if fault == "timeout":
                self.stopped.wait(30)
            elif fault == "drop":
                self.close_connection = True
            else:
                self._handle_properly(verbs, url.path, fault)
        except Refused as refused:
            self._send(refused.code, refused.status)

    def _handle_properly(self, verbs: dict[str, str], path: str, fault: Refused | str | None) -> None:
        if isinstance(fault, Refused):
            raise fault
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, "Unauthorized", "Unauthorized")
        plural, name, part = _place(path)
        verb = verbs.get("watch" if self._query.get("watch") == "true" else "", verbs[""])
        if verb == "list" and name:
            verb = "get"
        self.cluster.check(verb, f"{plural}/{part}" if part else plural)
        self._handle(verb, plural, name, part)

    def _handle(self, verb: str, plural: str, name: str, part: str) -> None:
        if plural == "selfsubjectaccessreviews":
            self._send(201, self._review())
        elif part == "log":
            self._log(name)
        elif verb == "watch":
            self._watch(plural)
        elif verb == "list":
            items, version = self.cluster.list_all(plural, self._wanted())
            self._send(200, {"kind": "List", "metadata": {"resourceVersion": str(version)}, "items": items})
        elif verb == "get":
            self._send(200, self.cluster.get(plural, name))
        elif verb == "create":
            self._send(
                201, self.cluster.create(plural, self._body, dry_run=self._query.get("dryRun") == "All")
            )
        elif verb == "update":
            self._send(200, self.cluster.replace(plural, name, self._body))
        elif verb == "patch":
            self._send(200, self.cluster.patch_status(plural, name, self._body["status"]))
        else:
            cascade = self._query.get("propagationPolicy")
            self.cluster.delete(plural, name, cascade=cascade)
            self._send(200, {"kind": "Status", "status": "Success"})

    def _review(self) -> Document:
        wanted = self._body["spec"]["resourceAttributes"]
        part = f"/{wanted['subresource']}" if wanted.get("subresource") else ""
        allowed = f"{wanted['verb']} {wanted['resource']}{part}" not in self.cluster.forbidden
        return {**self._body, "status": {"allowed": allowed}}

    def _log(self, name: str) -> None:
        if name not in self.cluster.logs:
            raise Refused(
                400,
                "BadRequest",
                f'container "trainer" in pod "{name}" is waiting to start: ContainerCreating',
            )
        lines = self.cluster.logs[name].splitlines(keepends=True)
        body = "".join(lines[-int(self._query.get("tailLines", len(lines))) :]).encode()
        self._send_bytes(200, "text/plain", body)

    def _watch(self, plural: str) -> None:
        version = int(self._query.get("resourceVersion", "0"))
        seconds = float(self._query.get("timeoutSeconds", "60"))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for change in self.cluster.watch(plural, version, seconds, self._wanted()):
                self._chunk(json.dumps(_event(change)).encode() + b"\n")
            self._chunk(b"")
        except OSError:
            self.close_connection = True  # the client has enough

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _wanted(self) -> Callable[[Document], bool]:
        labels = dict(part.split("=", 1) for part in self._query.get("labelSelector", "").split(",") if part)
        fields = dict(part.split("=", 1) for part in self._query.get("fieldSelector", "").split(",") if part)

        def wanted(document: Document) -> bool:
            given = document["metadata"].get("labels", {})
            return all(given.get(name) == value for name, value in labels.items()) and all(
                _field(document, name) == value for name, value in fields.items()
            )

        return wanted

    def _send(self, code: int, document: Document) -> None:
        self._send_bytes(code, "application/json", json.dumps(document).encode())

    def _send_bytes(self, code: int, content_type: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _event(change: Change | Refused) -> Document:
    if isinstance(change, Refused):
        return {"type": "ERROR", "object": change.status}
    return {"type": change.kind, "object": change.document}


def _field(document: Document, path: str) -> object:
    found: Any = document
    for name in path.split("."):
        found = found.get(name, {})
    return found


def _place(path: str) -> tuple[str, str, str]:
    """Return what a path names: a collection, an object in it, and a part of that."""
    steps = path.strip("/").split("/")
    steps = steps[2:] if steps[0] == "api" else steps[3:]
    if steps[0] == "namespaces" and len(steps) > 2:
        if steps[1] != NAMESPACE:
            raise Refused(404, "NotFound", f'namespaces "{steps[1]}" not found')
        steps = steps[2:]
    plural, name, part = (*steps, "", "")[:3]
    return plural, name, part
