"""Describes a judged window, and what changed in it."""

from collections.abc import Iterator, Mapping

from daemon.demo.events import Event, Kind
from daemon.demo.evidence import WindowFact
from daemon.domain.conversation import Conversation
from daemon.ledger.windows import JudgedWindow

_WORDS = 8
_EXAMPLES = 3
_EXAMPLE_CHARS = 100


def window_event(fact: WindowFact) -> Event:
    kind = {"stable": Kind.NEUTRAL, "drift": Kind.ALARM}.get(fact.finding, Kind.WAIT)
    numbers = (
        ""
        if fact.score is None or fact.threshold is None
        else f", drift score {fact.score:.2f} of {fact.threshold:.2f}"
    )
    return Event(
        kind=kind,
        text=f"window {fact.number} (conversations {fact.first} to {fact.last}): {fact.finding}{numbers}",
    )


def alarm_event(fact: WindowFact, judged: JudgedWindow, texts: Mapping[str, Conversation]) -> Event:
    return Event(
        kind=Kind.ALARM,
        text=f"ALARM in window {fact.number} (conversations {fact.first} to {fact.last}): {fact.reason}",
        details=tuple(_changes(judged.explanation or {}, texts)),
    )


def _changes(explanation: Mapping[str, object], texts: Mapping[str, Conversation]) -> Iterator[str]:
    """Say what changed: words, descriptors, the share that is new, examples."""
    changes = [change for change in _list(explanation.get("changes")) if isinstance(change, dict)]
    for sign, title in ((1, "more often"), (-1, "less often")):
        words = [str(c["name"]) for c in changes if c["aspect"] == "word" and _number(c["score"]) * sign > 0]
        if words:
            yield f"{title}: {', '.join(words[:_WORDS])}"
    for change in [change for change in changes if change["aspect"] == "descriptor"][:3]:
        yield f"{change['name']}: {_number(change['reference']):.2f} -> {_number(change['window']):.2f}"
    if "share_new" in explanation:
        yield f"at least {_number(explanation['share_new']):.0%} of the window is new"
    for id_ in _list(explanation.get("examples"))[:_EXAMPLES]:
        if isinstance(id_, str) and id_ in texts:
            yield f"for example: {_opening(texts[id_])}"


def _opening(conversation: Conversation) -> str:
    text = " ".join(conversation.messages[0].content.split())
    return f"“{text if len(text) <= _EXAMPLE_CHARS else text[: _EXAMPLE_CHARS - 1] + '…'}”"


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
