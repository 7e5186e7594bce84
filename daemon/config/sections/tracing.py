"""Settings of the section ``tracing``."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from daemon.config.loopback import is_loopback
from daemon.config.mistakes import Disagreement, Problem
from daemon.config.openable import check_library
from daemon.config.sections.base import Section, Share


class TracingSection(Section):
    """Traces for OpenTelemetry: one from each alarm to what became of it. They hold counts and names, never text."""

    endpoint: str | None = None
    """URL of a collector's OTLP over HTTP, such as http://collector:4318; /v1/traces is added. Needs
    `pip install 'retuned[tracing]'`. Unset: no traces."""
    sample: Share = 1.0
    """Share of the traces to send."""
    headers_file: Path | None = None
    """File of headers to send, such as `Authorization: Bearer ...`, one a line. It is read for each request, so that a rotated
    secret needs no restart."""
    ca_file: Path | None = None
    """PEM file of the authority that signed the collector's certificate. Unset: those that the requests library trusts."""
    service_name: str = Field("retuned", min_length=1, max_length=128)
    """The service that the traces are of."""

    @model_validator(mode="after")
    def _fields_agree(self) -> "TracingSection":
        if problems := [Problem(text, (name,)) for name, text in self._mistakes()]:
            raise Disagreement(problems)
        return self

    def _mistakes(self) -> Iterator[tuple[str, str]]:
        if self.endpoint is None:
            if self.headers_file or self.ca_file:
                yield "endpoint", "set endpoint, or leave the other fields out"
            return
        try:
            parts = urlsplit(self.endpoint)
            host, _ = parts.hostname, parts.port
        except ValueError:
            yield "endpoint", "is not a URL"
            return
        if parts.scheme not in ("https", "http") or not host or parts.query or parts.fragment:
            yield "endpoint", "must be a URL such as http://collector:4318"
        elif "@" in parts.netloc:
            yield "endpoint", "must hold no user and password: use headers_file"
        elif parts.scheme == "http" and self.headers_file and not is_loopback(host):
            yield "endpoint", "must be https: over http anybody on the way reads the headers"
        if (problem := check_library("opentelemetry.exporter.otlp")) is not None:
            yield "endpoint", problem
