"""What the HTTP server asks of the daemon: of one model line, or of several."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from daemon.domain.situation import Situation
from daemon.http.health import Answer
from daemon.ledger.reports import ReportLedger


class Exposition(Protocol):
    """All metrics."""

    def exposition(self, accept_header: str) -> tuple[str, bytes]:
        """Return the content type and the text, in the format that the scraper accepts."""
        ...


class Probes(Protocol):
    """Liveness and readiness."""

    def live(self) -> Answer: ...

    def ready(self) -> Answer: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class LineReports:
    """The reports of a model line, and what is going on in it, where that can be read."""

    ledger: ReportLedger
    read_situation: Callable[[], Situation] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportSources:
    """Whose reports are served: of the only line at /reports, or of each of several at /lines/NAME/reports."""

    only: LineReports | None = None
    #: By the name of the line; None is returned while it does not run.
    lines: Mapping[str, Callable[[], LineReports | None]] = field(default_factory=dict)
