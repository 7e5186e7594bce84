"""Reads hosts and brokers as operators write them; IPv6 addresses with and without brackets."""

import re
from ipaddress import IPv6Address

#: Names of hosts, of any script, and IPv4 addresses.
_NAME = re.compile(r"[^\s\[\]:/@,;?#%\\]+")
_PORTS = range(1, 65_536)


def parse_host(text: str) -> str:
    """Return a host without brackets. Raises ValueError saying how to write it."""
    host = text.strip()
    inner = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if is_ipv6(inner) or (inner == host and _NAME.fullmatch(host)):
        return inner
    raise ValueError("must be an address or a host name, such as 127.0.0.1, ::1 or 0.0.0.0, without a port")


def parse_broker(text: str) -> str:
    """Return a broker as host:port, an IPv6 address in brackets. A host alone stays alone: its port is Kafka's, 9092.

    Without brackets, what follows the last colon is the port if the rest is an address. Raises ValueError saying how
    to write it.
    """
    broker = text.strip()
    host, colon, port = broker.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if _balanced(host) else ""
    if colon and port.isdecimal() and (is_ipv6(host) or _NAME.fullmatch(host)):
        if int(port) not in _PORTS:
            raise ValueError("the port must be a number from 1 to 65535")
        return f"{bracketed(host)}:{int(port)}"
    if _NAME.fullmatch(broker):
        return broker
    alone = broker.removeprefix("[").removesuffix("]") if _balanced(broker) else ""
    if is_ipv6(alone):
        return bracketed(alone)
    raise ValueError("must be host:port, such as kafka-1:9092 or [::1]:9092")


def bracketed(host: str) -> str:
    """Return a host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if is_ipv6(host) else host


def is_ipv6(host: str) -> bool:
    """Return whether a host is an IPv6 address, without brackets."""
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def _balanced(text: str) -> bool:
    return text.startswith("[") == text.endswith("]")
