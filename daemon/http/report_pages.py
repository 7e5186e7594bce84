"""Serves the reports of windows over HTTP. They quote conversations, so whoever may not read them is told how to."""

import gzip
import ipaddress
import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Literal, TypeAlias

from daemon.domain.errors import LedgerError
from daemon.http.pages import PageRequest, PageResponse
from daemon.ledger.reports import ReportEntry, ReportLedger

Access: TypeAlias = Literal["local", "all", "off"]

_PATH = re.compile(r"/reports(?:/([0-9]{1,18})?)?", re.ASCII)
_HTML, _JSON = "text/html; charset=utf-8", "application/json"
#: Readers at a time: a report takes megabytes, and the loop needs the ledger too.
_READERS = 2
_PATIENCE_S = 2.0
#: Nothing but what is in the page; a report's own policy says more exactly which scripts may run.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class ReportPages:
    """Answers /reports with a list, /reports/WINDOW with a page. Callable from many threads."""

    def __init__(self, reports: ReportLedger, *, access: Access) -> None:
        self._reports = reports
        self._access = access
        self._readers = BoundedSemaphore(_READERS)

    def __call__(self, asked: PageRequest) -> PageResponse:
        """Answer a request whose path begins with /reports."""
        found = _PATH.fullmatch(asked.path)
        if found is None:
            return _refusal(HTTPStatus.NOT_FOUND, "there is no such page")
        if refused := self._refused(asked):
            return _refusal(HTTPStatus.FORBIDDEN, refused)
        if not self._readers.acquire(timeout=_PATIENCE_S):
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "others are reading reports; try again")
        try:
            return self._list(asked.accept) if found[1] is None else self._report(int(found[1]))
        except LedgerError as error:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        finally:
            self._readers.release()

    def _refused(self, asked: PageRequest) -> str | None:
        """Say why somebody may not read, and how to."""
        if self._access == "off":
            return "reports are not served (http.reports is off); read them with `retuned drift report`"
        if self._access == "all" or (_is_own(asked.peer) and _is_here(asked.host) and not asked.proxied):
            return None
        return (
            "reports quote conversations and are served to this machine alone: read them with `retuned drift report`, "
            "through `kubectl port-forward` as http://localhost:PORT/reports, or set http.reports to all"
        )

    def _list(self, accept: str) -> PageResponse:
        entries = self._reports.newest_first()
        if "text/html" in accept:
            return _answer(_HTML, _list_page(entries).encode())
        rows = [
            {
                "window": e.window,
                "made_at": e.made_at.isoformat(),
                "bytes": e.size,
                "path": f"/reports/{e.window}",
            }
            for e in entries
        ]
        return _answer(_JSON, json.dumps({"reports": rows}).encode())

    def _report(self, window: int) -> PageResponse:
        packed = self._reports.html(window)
        if packed is None:
            return _refusal(
                HTTPStatus.NOT_FOUND,
                "this window has no report: nothing changed in it, or its report went with one of its conversations",
            )
        return _answer(_HTML, gzip.decompress(packed))


def _is_own(peer: str) -> bool:
    """Whether a connection came from this machine. Service meshes bring others' from further loopback addresses."""
    return peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_here(host: str) -> bool:
    """Whether a browser was asked for this machine; a name that an attacker points at it is another."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    return name.lower() == "localhost" or _is_loopback(name.removeprefix("[").removesuffix("]"))


def _list_page(entries: Sequence[ReportEntry]) -> str:
    rows = "".join(
        f'<li><a href="/reports/{e.window}">window {e.window}</a>, {e.made_at:%Y-%m-%d %H:%M} UTC</li>'
        for e in entries
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>retuned: reports</title>'
        "<style>:root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;margin:2rem}</style></head>"
        f"<body><h1>What changed</h1>{f'<ul>{rows}</ul>' if rows else '<p>Nothing was reported yet.</p>'}</body></html>"
    )


def _answer(content_type: str, body: bytes, status: HTTPStatus = HTTPStatus.OK) -> PageResponse:
    return PageResponse(status=status, content_type=content_type, body=body, headers=_HEADERS)


def _refusal(status: HTTPStatus, why: str) -> PageResponse:
    return _answer(_JSON, json.dumps({"error": why}).encode(), status)
