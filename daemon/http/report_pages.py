"""The routes /reports and /reports/WINDOW; below /lines/NAME where there are several model lines.

Imports Litestar, so only the serving thread imports this module.
"""

import asyncio
import gzip
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from html import escape
from http import HTTPStatus

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler

from daemon.domain.errors import LedgerError
from daemon.domain.situation import Situation, sentence_of
from daemon.http.limits import Limits
from daemon.http.report_access import Access, refusal
from daemon.http.served import LineReports, ReportSources
from daemon.ledger.reports import ReportEntry, ReportLedger

_PATH = re.compile(rb"(?:/lines/([a-z0-9-]{1,63}))?/reports(?:/([0-9]{1,18})?)?")
_HTML, _JSON = "text/html; charset=utf-8", "application/json"
#: The page may load nothing from outside; a report's own policy names the scripts that may run.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def report_routes(sources: ReportSources, *, access: Access, limits: Limits) -> HTTPRouteHandler:
    """Return the handler of every path of reports. The list says what is going on, where that can be read."""
    readers = asyncio.Semaphore(limits.report_readers)

    @get(["/reports", "/reports/{rest:path}", "/lines/{rest:path}"])
    async def serve(request: Request[None, None, State]) -> Response[bytes]:
        # Litestar would also match "//reports" and "/reports/%31"; only the path as sent counts.
        found = _PATH.fullmatch(request.scope["raw_path"])
        line = found[1].decode() if found and found[1] else None
        if found is None or not _is_served(sources, line, window=found[2]):
            return _refuse(HTTPStatus.NOT_FOUND, "there is no such page")
        peer = request.client.host if request.client else ""
        host = request.headers.get("Host", "")
        if reason := refusal(access, peer=peer, host=host, headers=request.headers):
            return _refuse(HTTPStatus.FORBIDDEN, reason)
        try:
            async with asyncio.timeout(limits.report_wait_s):
                await readers.acquire()
        except TimeoutError:
            return _refuse(HTTPStatus.SERVICE_UNAVAILABLE, "others are reading reports; try again")
        try:
            accept = request.headers.get("Accept", "")
            if line is None and sources.only is None:
                return _list_lines(sources.lines, accept)
            reports = sources.only if line is None else sources.lines[line]()
            if reports is None:
                return _refuse(
                    HTTPStatus.SERVICE_UNAVAILABLE, "this model line does not run; /readyz says why"
                )
            if found[2] is not None:
                return await asyncio.to_thread(_report, reports.ledger, int(found[2]))
            return await asyncio.to_thread(_list, reports, line, accept)
        except LedgerError as error:
            return _refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        finally:
            readers.release()

    return serve


def _is_served(sources: ReportSources, line: str | None, *, window: bytes | None) -> bool:
    """Return whether there is such a page: of the only line without its name, of several with it."""
    if line is not None:
        return line in sources.lines
    return sources.only is not None or window is None


def _prefix(line: str | None) -> str:
    return "/reports" if line is None else f"/lines/{line}/reports"


def _list_lines(lines: Iterable[str], accept: str) -> Response[bytes]:
    """Name the pages of all model lines."""
    if "text/html" in accept:
        rows = "".join(f'<li><a href="{_prefix(line)}">{line}</a></li>' for line in lines)
        return _respond(_HTML, _page("Model lines", f"<ul>{rows}</ul>").encode())
    return _respond(
        _JSON, json.dumps({"lines": [{"line": line, "path": _prefix(line)} for line in lines]}).encode()
    )


def _list(reports: LineReports, line: str | None, accept: str) -> Response[bytes]:
    entries = reports.ledger.newest_first()
    situation = reports.read_situation() if reports.read_situation is not None else None
    if "text/html" in accept:
        return _respond(_HTML, _list_page(entries, situation, line).encode())
    rows = [
        {
            "window": e.window,
            "made_at": e.made_at.isoformat(),
            "bytes": e.size,
            "path": f"{_prefix(line)}/{e.window}",
        }
        for e in entries
    ]
    known = {} if situation is None else {"situation": asdict(situation)}
    return _respond(_JSON, json.dumps({"reports": rows, **known}).encode())


def _report(reports: ReportLedger, window: int) -> Response[bytes]:
    packed = reports.html(window)
    if packed is None:
        return _refuse(
            HTTPStatus.NOT_FOUND,
            "this window has no report: nothing changed in it, or its report went with one of its conversations",
        )
    return _respond(_HTML, gzip.decompress(packed))


def _list_page(entries: Sequence[ReportEntry], situation: Situation | None, line: str | None) -> str:
    said = (situation.sentence, situation.next) if situation is not None else ()
    now = "".join(f"<p>{escape(sentence_of(words))}</p>" for words in said if words)
    rows = "".join(
        f'<li><a href="{_prefix(line)}/{e.window}">window {e.window}</a>, {e.made_at:%Y-%m-%d %H:%M} UTC</li>'
        for e in entries
    )
    listed = f"<ul>{rows}</ul>" if rows else "<p>Nothing was reported yet.</p>"
    return _page("What changed" if line is None else f"What changed: {line}", f"{now}{listed}")


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>retuned: reports</title>'
        "<style>:root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;margin:2rem}</style></head>"
        f"<body><h1>{title}</h1>{body}</body></html>"
    )


def _respond(media_type: str, body: bytes, status: HTTPStatus = HTTPStatus.OK) -> Response[bytes]:
    return Response(
        body, media_type=media_type, status_code=status, headers={"Content-Type": media_type, **_HEADERS}
    )


def _refuse(status: HTTPStatus, reason: str) -> Response[bytes]:
    return _respond(_JSON, json.dumps({"error": reason}).encode(), status)
