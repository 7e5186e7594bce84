"""Spans of traces: one trace for each change of the stream and each training that nobody's drift asked for."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

Attribute: TypeAlias = str | int | float


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A piece of work that has ended. Its ids are derived, so every process gives it the same ones."""

    trace: str  # 32 hexadecimal digits
    id: str  # 16 of them
    parent: str | None  # the id of the span that led to it; None for the first of a trace
    name: str
    start: datetime
    end: datetime
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    error: str | None = None  # the kind of the error, where the work failed


def trace_id(ledger: str, cause: str, number: int) -> str:
    """Return the id of the trace that a change, or a decision, began in this ledger."""
    return _digits(f"{ledger}/{cause}/{number}", 32)


def span_id(trace: str, name: str, key: object = "") -> str:
    """Return the id of a span, which its name and ``key`` tell from the others of the trace."""
    return _digits(f"{trace}/{name}/{key}", 16)


def is_sampled(trace: str, share: float) -> bool:
    """Return whether a trace is among the share to send; every process says the same."""
    return int(trace[:12], 16) < share * 16**12


def _digits(text: str, count: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:count]
