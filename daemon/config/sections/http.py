"""Settings of the section ``http``."""

from typing import Literal

from pydantic import Field, field_validator

from daemon.config.addresses import parse_host
from daemon.config.sections.base import Section


class HttpSection(Section):
    """Metrics, probes and reports over HTTP."""

    host: str = "127.0.0.1"
    """Address to listen on, IPv4 or IPv6. Use 0.0.0.0 in a container, or :: where pods have IPv6 addresses."""
    port: int = Field(9464, ge=0, le=65_535)
    """Port to listen on. 0: any free one."""
    reports: Literal["local", "all", "off"] = "local"
    """Who may read /reports, which quote conversations. local: clients on this machine that address it as localhost or by
    a loopback address, without a proxy, as `kubectl port-forward` does. all: every client that reaches the port. off:
    nobody."""

    @field_validator("host")
    @classmethod
    def _known_host(cls, value: str) -> str:
        return parse_host(value)
