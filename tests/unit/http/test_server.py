import http.client
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from daemon.config.settings import HttpSection
from daemon.http.health import Component, Health
from daemon.http.limits import Limits
from daemon.http.server import CannotListen, HttpServer
from daemon.telemetry.metrics import Metrics
from tests.support.helpers import eventually

LOCAL = HttpSection(port=0)
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def health() -> Health:
    return Health(clock=lambda: 0.0, components=(Component.BROKER,))


@pytest.fixture
def server(health: Health) -> Iterator[HttpServer]:
    with HttpServer(LOCAL, Metrics(), health, limits=Limits(client_timeout_s=0.3)) as server:
        yield server


def ask(
    server: HttpServer, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def send(server: HttpServer, raw: bytes) -> bytes:
    """All that comes back; b"" where the server just hangs up."""
    with socket.create_connection((server.host, server.port), timeout=5) as connection:
        received = b""
        try:
            connection.sendall(raw)
            while chunk := connection.recv(65_536):
                received += chunk
        except ConnectionError:
            pass
        return received


def received_at_end(connection: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    try:
        return connection.recv(65_536)
    except ConnectionError:
        return b""


class BrokenMetrics(Metrics):
    def exposition(self, accept_header: str) -> tuple[str, bytes]:
        raise RuntimeError("no metrics")


class LargeMetrics(Metrics):
    """Gives a response larger than the buffers of both ends."""

    def exposition(self, accept_header: str) -> tuple[str, bytes]:
        return "text/plain", b"x" * 32_000_000


def test_port_0_is_a_real_port(server: HttpServer) -> None:
    assert server.port > 0


def test_metrics_are_served_as_text(server: HttpServer) -> None:
    response, body = ask(server, "/metrics")

    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"retuned_windows_closed_total 0.0" in body


def test_metrics_are_served_as_openmetrics_to_who_asks(server: HttpServer) -> None:
    response, body = ask(
        server, "/metrics", Accept="application/openmetrics-text; version=1.0.0,text/plain;q=0.5"
    )

    assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")


def test_liveness(server: HttpServer) -> None:
    response, body = ask(server, "/livez")

    assert response.status == 200
    assert json.loads(body)["status"] == "live"


def test_not_ready_is_503_with_the_reasons(server: HttpServer, health: Health) -> None:
    health.report(Component.BROKER, "经纪人不在")

    response, body = ask(server, "/readyz")

    assert response.status == 503
    assert json.loads(body) == {"status": "not ready", "problems": {"broker": "经纪人不在"}}


def test_ready_is_200(server: HttpServer, health: Health) -> None:
    health.report(Component.BROKER, None)

    assert ask(server, "/readyz?verbose")[0].status == 200


@pytest.mark.parametrize("path", ["/", "/metrics/", "/livez/x", "/../etc/passwd"])
def test_other_paths_are_404(server: HttpServer, path: str) -> None:
    assert ask(server, path)[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "EVIL"])
def test_other_methods_are_405(server: HttpServer, method: str) -> None:
    response, _ = ask(server, "/metrics", method)

    assert response.status == 405
    assert response.headers["Allow"] == "GET"


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /secret-word HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"secret-word / HTTP/1.1\r\n\r\n",
        b"GET / secret-word HTTP/1.1\r\n\r\n",
        b"GET / HTTP/secret-word\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text; version=1.0.0-secret-word\r\n\r\n",
    ],
)
def test_nothing_of_the_request_is_repeated(server: HttpServer, raw: bytes) -> None:
    answer = send(server, raw)

    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200 OK"))
    assert b"secret-word" not in answer


def test_without_reports_there_is_no_such_page(server: HttpServer) -> None:
    assert ask(server, "/reports")[0].status == 404
    assert ask(server, "/reports/7")[0].status == 404


def test_an_endless_request_is_cut(server: HttpServer) -> None:
    assert b"200" not in send(server, b"GET /livez HTTP/1.1\r\nX: " + b"x" * 1_000_000)


def test_a_request_that_dawdles_is_cut(server: HttpServer) -> None:
    assert send(server, b"GET /livez HTTP/1.1\r\nX: ") == b""


def test_too_many_connections_are_dropped(health: Health) -> None:
    with (
        HttpServer(LOCAL, Metrics(), health, limits=Limits(connections=1)) as server,
        socket.create_connection((server.host, server.port)) as first,
    ):
        assert send(server, LIVEZ) == b""

        first.sendall(LIVEZ)
        assert first.recv(12) == b"HTTP/1.1 200"
        eventually(lambda: b"200" in send(server, LIVEZ))


def test_a_client_that_hangs_up_early_is_no_error(
    server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "daemon.http"):
        with socket.create_connection((server.host, server.port)) as connection:
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
            )  # hang up with a reset
            connection.sendall(b"GET /livez HT")
        assert ask(server, "/livez")[0].status == 200

    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]


def test_probes_answer_beside_150_slow_clients(health: Health) -> None:
    with (
        HttpServer(LOCAL, Metrics(), health, limits=Limits(client_timeout_s=2.0)) as server,
        ExitStack() as clients,
    ):
        slow = [
            clients.enter_context(socket.create_connection((server.host, server.port), timeout=10))
            for _ in range(150)
        ]
        for client in slow:
            client.sendall(b"GET /livez HTTP/1.1\r\nX: ")

        assert [ask(server, "/livez")[0].status for _ in range(20)] == [200] * 20
        assert [received_at_end(client) for client in slow] == [b""] * 150


def test_a_client_that_never_reads_is_cut(health: Health) -> None:
    with (
        HttpServer(LOCAL, LargeMetrics(), health, limits=Limits(client_timeout_s=0.2)) as server,
        socket.create_connection((server.host, server.port), timeout=10) as client,
    ):
        client.sendall(LIVEZ.replace(b"livez", b"metrics"))
        ask(server, "/livez")
        threading.Event().wait(0.5)

        received = b"".join(iter(lambda: received_at_end(client), b""))
        assert 0 < len(received) < 32_000_000


def test_unread_responses_are_bounded(health: Health) -> None:
    with HttpServer(LOCAL, LargeMetrics(), health, limits=Limits(unsent_bytes=1_000_000)) as server:
        answer = send(server, LIVEZ.replace(b"livez", b"metrics"))

    assert len(answer) < 32_000_000


def test_a_slow_body_does_not_hold_a_connection(server: HttpServer) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"

    assert send(server, head + b"x").startswith(b"HTTP/1.1 200")


def test_a_response_names_no_product(server: HttpServer) -> None:
    assert "Server" not in ask(server, "/livez")[0].headers


@pytest.mark.parametrize("path", ["/schema", "/schema/openapi.json", "/docs", "/%6civez", "//livez"])
def test_the_framework_adds_no_paths(server: HttpServer, path: str) -> None:
    response, body = ask(server, path)

    assert (response.status, body) == (404, b'{"error": "Not Found"}')


def test_a_failure_is_500_and_logged_once(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    with HttpServer(LOCAL, BrokenMetrics(), health) as server:
        response, body = ask(server, "/metrics")

    assert (response.status, body) == (500, b'{"error": "Internal Server Error"}')
    assert [record.getMessage() for record in caplog.records] == ["an HTTP request failed"]


def test_it_answers_while_others_wait(server: HttpServer) -> None:
    with socket.create_connection((server.host, server.port)):
        assert ask(server, "/livez")[0].status == 200


def test_closing_cuts_open_connections_and_ends_all_threads(health: Health) -> None:
    before = threading.active_count()
    server = HttpServer(LOCAL, Metrics(), health, limits=Limits(client_timeout_s=60.0)).start()
    with socket.create_connection((server.host, server.port)) as connection:
        assert ask(server, "/livez")[0].status == 200

        server.close()

        assert threading.active_count() == before
        assert connection.recv(1) == b""


def test_ipv6_is_served(health: Health) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        server = HttpServer(HttpSection(host="::1", port=0), Metrics(), health).start()
    except CannotListen:
        pytest.skip("this machine has no IPv6 loopback")
    try:
        assert ask(server, "/livez")[0].status == 200
    finally:
        server.close()


def test_a_port_in_use_is_refused_with_the_remedy(server: HttpServer, health: Health) -> None:
    with pytest.raises(
        CannotListen, match=rf"127\.0\.0\.1:{server.port}: Address already in use; set http\.host"
    ):
        HttpServer(HttpSection(port=server.port), Metrics(), health).start()
