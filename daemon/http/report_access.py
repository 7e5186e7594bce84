"""Who may read reports, which quote conversations."""

import ipaddress
import re
from collections.abc import Container
from typing import Literal, TypeAlias

Access: TypeAlias = Literal["local", "all", "off"]

#: Headers of proxies that forward somebody else's request.
PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via")


def refusal(access: Access, *, peer: str, host: str, headers: Container[str]) -> str | None:
    """Return why a client may not read reports and what to do instead; None when it may.

    ``peer`` is the address of the connection, ``host`` the request's Host header.
    """
    if access == "off":
        return "reports are not served (http.reports is off); read them with `retuned drift report`"
    proxied = any(name in headers for name in PROXY_HEADERS)
    if access == "all" or (_is_this_machine(peer) and _names_this_machine(host) and not proxied):
        return None
    return (
        "reports quote conversations and are served to this machine alone: read them with `retuned drift report`, "
        "through `kubectl port-forward` as http://localhost:PORT/reports, or set http.reports to all"
    )


def _is_this_machine(peer: str) -> bool:
    """Return whether a connection came from this machine.

    Other loopback addresses do not count: service meshes forward remote requests from them.
    """
    return peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1")


def _names_this_machine(host: str) -> bool:
    """Return whether the Host header names this machine, which protects against DNS rebinding."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    return name.lower() == "localhost" or _is_loopback(name.removeprefix("[").removesuffix("]"))


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
