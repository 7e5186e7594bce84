"""Verifies a promotion log by its documents, which takes half the time of reading each into an entry first."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from registry.codec import BadDocument
from registry.history import LiveLine, document_digest
from registry.names import BadName, VersionName
from registry.types import PromotionKind


class _Link(NamedTuple):
    model_line: str
    position: int
    kind: PromotionKind
    version: VersionName
    previous: VersionName | None
    previous_digest: str


def verify_documents(model_line: str, texts: Iterable[str]) -> None:
    """Check a log as ``history.verify`` does, given the texts of its entries' JSON, oldest first.

    An altered document has another digest than the one that the next entry names, whatever was altered in it. Raises
    BrokenChain, and BadDocument for a text that is no entry at all.
    """
    line, digest = LiveLine(model_line), ""
    for text in texts:
        document, link = _read(text, model_line, line.entries + 1)
        line.check(link, digest=digest)
        line.follow(link)
        digest = document_digest(document)


def _read(text: str, model_line: str, position: int) -> tuple[dict[str, Any], _Link]:
    try:
        document = orjson.loads(text)
        previous = document["previous"]
        return document, _Link(
            model_line=document["model_line"],
            position=document["position"],
            kind=PromotionKind(document["kind"]),
            version=_name(document["version"]),
            previous=None if previous is None else _name(previous),
            previous_digest=document["previous_digest"],
        )
    except (ValueError, KeyError, TypeError, BadName) as error:
        raise BadDocument(
            f"entry {position} of the promotion log of {model_line} can't be read: {error}"
        ) from error


@lru_cache(maxsize=1_024)
def _name(text: str) -> VersionName:
    """Each name is read twice or more: as the version of an entry, and as the one before it."""
    return VersionName.parse(text)
