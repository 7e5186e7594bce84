"""The web application behind the HTTP port.

Imports Litestar, so only the serving thread imports this module.
"""

import json
import logging
from http import HTTPStatus

from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.handlers import HTTPRouteHandler

from daemon.http.health import Answer
from daemon.http.limits import Limits
from daemon.http.report_access import Access
from daemon.http.report_pages import report_routes
from daemon.http.served import Exposition, Probes, ReportSources

_log = logging.getLogger(__name__)
_JSON = "application/json"


def build_app(
    metrics: Exposition, probes: Probes, reports: ReportSources, *, access: Access, limits: Limits
) -> Litestar:
    """Return the application: /metrics, /livez and /readyz, and the reports of lines that have some."""
    routes = [*_probe_routes(metrics, probes)]
    if reports.only is not None or reports.lines:
        routes.append(report_routes(reports, access=access, limits=limits))
    return Litestar(
        routes,
        before_request=_require_get,
        after_request=_finish,
        exception_handlers={HTTPException: _explain, Exception: _report_failure},
        openapi_config=None,
        logging_config=None,
        debug=False,  # else LITESTAR_DEBUG in the environment decides
        pdb_on_exception=False,
    )


def _probe_routes(metrics: Exposition, probes: Probes) -> tuple[HTTPRouteHandler, ...]:
    @get("/metrics", before_request=_require_exact_get, sync_to_thread=False)
    def serve_metrics(request: Request[None, None, State]) -> Response[bytes]:
        content_type, body = metrics.exposition(request.headers.get("Accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    @get("/livez", before_request=_require_exact_get, sync_to_thread=False)
    def live() -> Response[bytes]:
        return _answer(probes.live())

    @get("/readyz", before_request=_require_exact_get, sync_to_thread=False)
    def ready() -> Response[bytes]:
        return _answer(probes.ready())

    return serve_metrics, live, ready


def _require_get(request: Request[None, None, State]) -> None:
    """Refuse OPTIONS, which Litestar answers by itself."""
    if request.method != "GET":
        raise MethodNotAllowedException


def _require_exact_get(request: Request[None, None, State]) -> None:
    """Refuse other spellings of a path, such as ``/livez/`` and ``//livez``, which Litestar would match too."""
    _require_get(request)
    if request.scope["raw_path"] != request.scope["path"].encode():
        raise NotFoundException


def _answer(answer: Answer) -> Response[bytes]:
    status = HTTPStatus.OK if answer.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return Response(json.dumps(answer.body).encode(), media_type=_JSON, status_code=status)


def _explain(request: Request[None, None, State], error: HTTPException) -> Response[bytes]:
    """Answer with the status alone: Litestar's own answer repeats the request."""
    status = HTTPStatus(error.status_code)
    if request.method != "GET":
        status = HTTPStatus.METHOD_NOT_ALLOWED
    headers = {"Allow": "GET"} if status is HTTPStatus.METHOD_NOT_ALLOWED else {}
    body = json.dumps({"error": status.phrase}).encode()
    return _finish(Response(body, media_type=_JSON, status_code=status, headers=headers))


def _report_failure(_: Request[None, None, State], error: Exception) -> Response[bytes]:
    _log.error("an HTTP request failed", exc_info=error)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    body = json.dumps({"error": status.phrase}).encode()
    return _finish(Response(body, media_type=_JSON, status_code=status))


def _finish(response: Response[bytes]) -> Response[bytes]:
    """Add what every response carries. A connection serves one request, so none stays open idle."""
    response.headers["Connection"] = "close"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
