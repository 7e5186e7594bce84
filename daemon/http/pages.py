"""What the HTTP server asks a page, and what a page answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRequest:
    """A GET request, as far as any page looks at it."""

    path: str  # without what comes after "?"
    peer: str  # address that the connection came from
    accept: str = ""  # and further headers, empty where they are missing
    host: str = ""
    proxied: bool = False  # whether a proxy says that it asks for somebody else


@dataclass(frozen=True, kw_only=True, slots=True)
class PageResponse:
    """An answer."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Page: TypeAlias = Callable[[PageRequest], PageResponse]
