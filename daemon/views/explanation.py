"""Reads the explanation of a window back from the ledger."""

from typing import Any

from daemon.ledger.windows import JudgedWindow
from monitors.types import Change, DomainView, Explanation, Topic, WordEffect


def explanation_of(window: JudgedWindow) -> Explanation | None:
    """Read what the judging stage wrote. What an earlier release did not know of yet is empty."""
    if window.explanation is None:
        return None
    document: dict[str, Any] = dict(window.explanation)
    return Explanation(
        window_id=str(document["window_id"]),
        changes=tuple(Change(**change) for change in document["changes"]),
        examples=tuple(document["examples"]),
        share_new=float(document["share_new"]),
        topics=tuple(
            Topic(**{**topic, "words": tuple(topic["words"])}) for topic in document.get("topics", ())
        ),
        domain=_domain(document.get("domain")),
        speaker=str(document.get("speaker", "user")),
    )


def _domain(document: dict[str, Any] | None) -> DomainView | None:
    if document is None:
        return None
    return DomainView(**{**document, "words": tuple(WordEffect(**effect) for effect in document["words"])})
