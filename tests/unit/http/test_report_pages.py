"""Reports are read by whom the settings let, and by nobody else."""

import asyncio
import gzip
import http.client
import json
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from daemon.config.settings import HttpSection
from daemon.domain.errors import LedgerError
from daemon.domain.situation import (
    Answer,
    AnswerFate,
    OpenChange,
    Situation,
    SituationFacts,
    situation_of,
)
from daemon.http.app import build_app
from daemon.http.health import Health
from daemon.http.limits import Limits
from daemon.http.report_access import PROXY_HEADERS, Access
from daemon.http.served import LineReports, ReportSources
from daemon.http.server import HttpServer
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.reports import NewReport, ReportEntry, ReportLedger
from daemon.ledger.windows import VerdictRow, WindowLedger
from daemon.telemetry.metrics import Metrics
from tests.factories.ledger import NOW, a_batch, a_ledger, some_conversations

PAGE = "<!DOCTYPE html><p>退款</p>"


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRequest:
    """A GET request from some address."""

    path: str
    peer: str = "127.0.0.1"
    host: str = "localhost:9464"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PageResponse:
    status: HTTPStatus
    headers: dict[str, str]
    body: bytes


LOCAL = PageRequest(path="/reports")


@pytest.fixture
def reports(tmp_path: Path) -> ReportLedger:
    """A report of window 1."""
    engine = a_ledger(tmp_path)
    windows = WindowLedger(engine)
    ReferenceLedger(engine).start("chat-v0", size=10, after_seq=0, now=NOW)
    IntakeLedger(engine, window_size=20).record(a_batch(some_conversations(0, 30)))
    window = windows.next_to_judge()
    assert window is not None
    packed = NewReport(html=gzip.compress(PAGE.encode()), conversations=30)
    row = VerdictRow(
        window=1, monitor="mmd", finding="drift", score=1.0, threshold=0.1, reason="so", triggers=True
    )
    windows.record_judgement(
        window, [row], finding="drift", reference_id=1, explanation=None, report=packed, now=NOW
    )
    return ReportLedger(engine)


def ask(
    reports: ReportLedger,
    asked: PageRequest,
    access: Access = "local",
    *,
    situation: Situation | None = None,
) -> PageResponse:
    health = Health(clock=lambda: 0.0, components=())
    read = None if situation is None else lambda: situation
    app = build_app(
        Metrics(),
        health,
        ReportSources(only=LineReports(ledger=reports, read_situation=read)),
        access=access,
        limits=Limits(),
    )
    headers = {"host": asked.host, **asked.headers}
    scope: dict[str, Any] = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "query_string": b"",
        "path": unquote(asked.path), "raw_path": asked.path.encode(), "root_path": "",
        "client": (asked.peer, 50_000), "server": ("127.0.0.1", 9464),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items() if value],
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    app_as_asgi: Any = app
    asyncio.run(app_as_asgi(scope, receive, send))
    start, *rest = sent
    return PageResponse(
        status=HTTPStatus(start["status"]),
        headers={name.decode(): value.decode() for name, value in start["headers"]},
        body=b"".join(part["body"] for part in rest),
    )


def fetch(server: HttpServer, path: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/reports", "/reports/", "/reports/1"])
def test_a_query_does_not_change_what_is_served(reports: ReportLedger, path: str) -> None:
    assert ask(reports, replace(LOCAL, path=path)).status is HTTPStatus.OK


def test_a_report_is_served_as_it_is(reports: ReportLedger) -> None:
    answered = ask(reports, replace(LOCAL, path="/reports/1"))

    assert (answered.status, answered.headers["content-type"]) == (HTTPStatus.OK, "text/html; charset=utf-8")
    assert answered.body.decode() == PAGE
    assert answered.headers["cache-control"] == "no-store"
    assert answered.headers["referrer-policy"] == "no-referrer"
    policy = answered.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in policy


def test_the_list_is_html_for_people_and_json_for_programs(reports: ReportLedger) -> None:
    people = ask(reports, replace(LOCAL, headers={"Accept": "text/html,application/xhtml+xml"}))
    programs = ask(reports, LOCAL)

    assert b'<a href="/reports/1">window 1</a>' in people.body
    [row] = json.loads(programs.body)["reports"]
    assert (row["window"], row["made_at"], row["path"]) == (1, NOW.isoformat(), "/reports/1")


def test_an_empty_list_says_so(tmp_path: Path) -> None:
    empty = ReportLedger(a_ledger(tmp_path))

    assert b"Nothing was reported yet" in ask(empty, replace(LOCAL, headers={"Accept": "text/html"})).body
    assert json.loads(ask(empty, LOCAL).body) == {"reports": []}


def test_a_window_without_a_report_says_why(reports: ReportLedger) -> None:
    answered = ask(reports, replace(LOCAL, path="/reports/2"))

    assert answered.status is HTTPStatus.NOT_FOUND
    assert "no report" in json.loads(answered.body)["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/reports/one", "/reports/-1", "/reports/1/", "/reports/1.0", "/reports//1", "/reports/1%00", "/reports/../1",
        "/reports/１", "/reports/" + "9" * 30, "/reports/1\n", "/reportsx",
    ],
)  # fmt: skip
def test_paths_are_read_strictly(reports: ReportLedger, path: str) -> None:
    assert ask(reports, replace(LOCAL, path=path)).status is HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "127.0.0.1:9464"),
        ("::1", "[::1]:9464"),
        ("::ffff:127.0.0.1", "LocalHost:1"),
    ],
)
def test_this_machine_may_read(reports: ReportLedger, peer: str, host: str) -> None:
    assert ask(reports, replace(LOCAL, peer=peer, host=host)).status is HTTPStatus.OK


@pytest.mark.parametrize(
    "asked",
    [
        replace(LOCAL, peer="10.0.0.7"),
        replace(LOCAL, peer="127.0.0.6"),  # where a mesh's side-car brings others' requests from
        replace(LOCAL, peer="::ffff:10.0.0.7"),
        replace(LOCAL, peer="fe80::1%eth0"),
        replace(LOCAL, host="evil.example:9464"),  # a name that was pointed at this machine (DNS rebinding)
        replace(LOCAL, host="localhost.evil.example"),
        replace(LOCAL, host="127.0.0.1.evil.example"),
        replace(LOCAL, host=""),
        *(replace(LOCAL, headers={name: "10.0.0.7"}) for name in PROXY_HEADERS),  # a side-car's loopback
    ],
)
@pytest.mark.parametrize("path", ["/reports", "/reports/1"])
def test_others_are_refused_with_the_remedy(reports: ReportLedger, asked: PageRequest, path: str) -> None:
    answered = ask(reports, replace(asked, path=path))

    assert answered.status is HTTPStatus.FORBIDDEN
    assert "kubectl port-forward" in json.loads(answered.body)["error"]
    assert PAGE.encode() not in answered.body


def test_whoever_reaches_the_port_may_read_where_the_settings_say_so(reports: ReportLedger) -> None:
    far = PageRequest(path="/reports/1", peer="10.0.0.7", host="retuned:9464", headers={"Via": "proxy"})

    assert ask(reports, far, "all").status is HTTPStatus.OK


def test_nobody_may_read_where_it_is_off(reports: ReportLedger) -> None:
    answered = ask(reports, LOCAL, "off")

    assert answered.status is HTTPStatus.FORBIDDEN
    assert "retuned drift report" in json.loads(answered.body)["error"]


def test_it_is_read_through_the_server(reports: ReportLedger) -> None:
    health = Health(clock=lambda: 0.0, components=())
    with HttpServer(
        HttpSection(port=0), Metrics(), health, reports=ReportSources(only=LineReports(ledger=reports))
    ) as server:
        response, body = fetch(server, "/reports/1")

    assert (response.status, body.decode()) == (200, PAGE)
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Connection"] == "close"


class BrokenLedger(ReportLedger):
    def __init__(self) -> None: ...

    def newest_first(self) -> list[ReportEntry]:
        raise LedgerError("the ledger can't be read")


def test_a_ledger_that_cannot_be_read_is_503() -> None:
    health = Health(clock=lambda: 0.0, components=())
    with HttpServer(
        HttpSection(port=0), Metrics(), health, reports=ReportSources(only=LineReports(ledger=BrokenLedger()))
    ) as server:
        for _ in range(5):  # and no reader is lost by it
            assert fetch(server, "/reports")[0].status == 503


def test_the_list_says_what_is_going_on(reports: ReportLedger) -> None:
    """In the words of `retuned status`. A name is shown as text."""
    facts = SituationFacts(
        change=OpenChange(window=2, newest_window=9, quiet=0, dropped=False, ended=False),
        answer=Answer(
            run="r1", fate=AnswerFate.REJECTED, version="chat-v1", short="v1", reason="<b>worse</b>"
        ),
    )
    situation = situation_of(facts)

    people = ask(reports, replace(LOCAL, headers={"Accept": "text/html"}), situation=situation).body.decode()
    programs = json.loads(ask(reports, LOCAL, situation=situation).body)

    assert (
        "<p>The change since window 2, raised last in window 9, is still there: the gate rejected" in people
    )
    assert "(&lt;b&gt;worse&lt;/b&gt;)" in people
    assert programs["situation"]["state"] == "unresolved"
    assert programs["situation"]["sentence"] == situation.sentence
