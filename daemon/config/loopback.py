"""Tells addresses of this machine from others."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own, so that nobody is on the way."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
