import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from daemon.config.reloading import ReloadReport
from daemon.config.settings import HttpSection
from daemon.http.health import Health
from daemon.http.probe import probe


@contextmanager
def a_daemon(answers: dict[str, tuple[int, str]]) -> Iterator[HttpSection]:
    """A server with these answers by path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield HttpSection(host="0.0.0.0", port=server.server_port)  # noqa: S104 - as a container sets it
        finally:
            server.shutdown()
            thread.join()


def test_a_port_where_nobody_answers_is_a_daemon_that_does_not_run() -> None:
    health = probe(HttpSection(port=1))

    assert (health.running, health.url) == (False, "http://127.0.0.1:1")


def test_a_ready_daemon_tells_its_lag_over_all_partitions() -> None:
    metrics = (
        "# HELP retuned_consumer_lag_records Records.\n"
        'retuned_consumer_lag_records{partition="0"} 12.0\nretuned_consumer_lag_records{partition="1"} 3.0\n'
    )
    with a_daemon(
        {"/readyz": (200, '{"status": "ready", "problems": {}}'), "/metrics": (200, metrics)}
    ) as http:
        health = probe(http, timeout_s=5)

    assert (health.running, health.ready, health.problems, health.lag) == (True, True, {}, 15)


def test_a_daemon_that_is_not_ready_says_why() -> None:
    body = json.dumps({"status": "not ready", "problems": {"broker": "no broker answers"}})
    with a_daemon({"/readyz": (503, body)}) as http:
        health = probe(http, timeout_s=5)

    assert (health.running, health.ready, health.lag) == (True, False, None)
    assert health.problems == {"broker": "no broker answers"}


@pytest.mark.parametrize(
    "answer",
    [(404, "<html>"), (200, "ok"), (200, "{}"), (200, '{"status": "ok"}'), (200, "[]"), (200, "null")],
)
def test_another_program_at_the_port_is_no_daemon(answer: tuple[int, str]) -> None:
    with a_daemon({"/readyz": answer}) as http:
        health = probe(http, timeout_s=5)

    assert (health.running, health.ready, health.other) == (False, False, "another program")


def test_a_daemon_of_another_line_is_named_and_not_called_ready() -> None:
    body = '{"status": "ready", "model_line": "other", "problems": {}}'
    with a_daemon({"/readyz": (200, body)}) as http:
        health = probe(http, model_line="chat", timeout_s=5)

    assert (health.running, health.ready) == (False, False)
    assert health.absence == f"another daemon (line other) answers at {health.url}"


def test_a_daemon_of_an_earlier_release_does_not_say_its_line() -> None:
    with a_daemon({"/readyz": (200, '{"status": "ready", "problems": {}}')}) as http:
        assert probe(http, model_line="chat", timeout_s=5).ready


def test_a_daemon_says_which_version_it_follows() -> None:
    metrics = 'retuned_live_version_info{model_line="chat",version="chat-v3"} 1.0\n'
    body = '{"status": "ready", "model_line": "chat", "problems": {}}'
    with a_daemon({"/readyz": (200, body), "/metrics": (200, metrics)}) as http:
        assert probe(http, model_line="chat", timeout_s=5).live == "chat-v3"


def test_a_proxy_is_not_asked_about_a_daemon_that_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with a_daemon({"/readyz": (200, '{"status": "ready"}')}) as http:
        assert probe(http, timeout_s=5).ready


def test_a_daemon_tells_what_its_latest_reading_of_the_settings_did() -> None:
    health = Health(clock=lambda: 0.0, components=())
    told = ReloadReport(at=datetime(2026, 11, 30, tzinfo=UTC), needs_restart=("kafka.topic: a -> b",))
    bodies = [json.dumps(health.ready().body)]
    health.show_reload(told)
    bodies.append(json.dumps(health.ready().body))

    found = []
    for body in bodies:
        with a_daemon({"/readyz": (200, body)}) as http:
            found.append(probe(http, timeout_s=5).reload)

    assert found == [None, told]


def test_an_unknown_report_of_a_reading_is_passed_over() -> None:
    with a_daemon({"/readyz": (200, '{"status": "ready", "reload": {"at": "noon"}}')}) as http:
        assert probe(http, timeout_s=5).reload is None
