"""Reports are read by whom the settings let, and by nobody else."""

import gzip
import http.client
import json
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from daemon.domain.errors import LedgerError
from daemon.http.health import Health
from daemon.http.pages import PageRequest, PageResponse
from daemon.http.report_pages import Access, ReportPages
from daemon.http.server import HttpServer
from daemon.ledger.intake import IntakeLedger
from daemon.ledger.references import ReferenceLedger
from daemon.ledger.reports import NewReport, ReportEntry, ReportLedger
from daemon.ledger.windows import VerdictRow, WindowLedger
from daemon.telemetry.metrics import Metrics
from tests.factories.ledger import NOW, a_batch, a_ledger, some_conversations

PAGE = "<!DOCTYPE html><p>退款</p>"
LOCAL = PageRequest(path="/reports", peer="127.0.0.1", host="localhost:9464")


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


def ask(reports: ReportLedger, asked: PageRequest, access: Access = "local") -> PageResponse:
    return ReportPages(reports, access=access)(asked)


def test_a_report_is_served_as_it_is(reports: ReportLedger) -> None:
    answered = ask(reports, replace(LOCAL, path="/reports/1"))

    assert (answered.status, answered.content_type) == (HTTPStatus.OK, "text/html; charset=utf-8")
    assert answered.body.decode() == PAGE
    assert answered.headers["Cache-Control"] == "no-store"
    assert answered.headers["Referrer-Policy"] == "no-referrer"
    policy = answered.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in policy


def test_the_list_is_html_for_people_and_json_for_programs(reports: ReportLedger) -> None:
    people = ask(reports, replace(LOCAL, accept="text/html,application/xhtml+xml"))
    programs = ask(reports, LOCAL)

    assert b'<a href="/reports/1">window 1</a>' in people.body
    [row] = json.loads(programs.body)["reports"]
    assert (row["window"], row["made_at"], row["path"]) == (1, NOW.isoformat(), "/reports/1")


def test_an_empty_list_says_so(tmp_path: Path) -> None:
    empty = ReportLedger(a_ledger(tmp_path))

    assert b"Nothing was reported yet" in ask(empty, replace(LOCAL, accept="text/html")).body
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
        replace(LOCAL, proxied=True),  # a side-car's loopback is everybody's
    ],
)
@pytest.mark.parametrize("path", ["/reports", "/reports/1"])
def test_others_are_refused_with_the_remedy(reports: ReportLedger, asked: PageRequest, path: str) -> None:
    answered = ask(reports, replace(asked, path=path))

    assert answered.status is HTTPStatus.FORBIDDEN
    assert "kubectl port-forward" in json.loads(answered.body)["error"]
    assert PAGE.encode() not in answered.body


def test_whoever_reaches_the_port_may_read_where_the_settings_say_so(reports: ReportLedger) -> None:
    far = PageRequest(path="/reports/1", peer="10.0.0.7", host="retuned:9464", proxied=True)

    assert ask(reports, far, "all").status is HTTPStatus.OK


def test_nobody_may_read_where_it_is_off(reports: ReportLedger) -> None:
    answered = ask(reports, LOCAL, "off")

    assert answered.status is HTTPStatus.FORBIDDEN
    assert "retuned drift report" in json.loads(answered.body)["error"]


def test_it_is_read_through_the_server(reports: ReportLedger) -> None:
    pages, health = ReportPages(reports, access="local"), Health(clock=lambda: 0.0, components=())
    with HttpServer("127.0.0.1", 0, Metrics(), health, reports=pages) as server:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
        connection.request("GET", "/reports/1")
        response = connection.getresponse()
        body = response.read()
        connection.close()

    assert (response.status, body.decode()) == (200, PAGE)
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


class BrokenLedger(ReportLedger):
    def __init__(self) -> None: ...

    def newest_first(self) -> list[ReportEntry]:
        raise LedgerError("the ledger can't be read")


def test_a_ledger_that_cannot_be_read_is_503() -> None:
    pages = ReportPages(BrokenLedger(), access="local")

    for _ in range(5):  # and no reader is lost by it
        assert pages(LOCAL).status is HTTPStatus.SERVICE_UNAVAILABLE
