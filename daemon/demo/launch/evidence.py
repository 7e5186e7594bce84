"""What the launch showed, as plain values."""

from dataclasses import dataclass

from registry.types import GateVerdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """How well one version answers held-out questions."""

    questions: int
    right: int  # word for word as support would
    f1: float  # mean token F1 against support's answers, 0 to 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LessonsFact:
    """What users asked, what support corrected, and what both versions know of it."""

    tokens_per_s: float  # training, as measured before
    predicted_s: float  # of the whole demo
    facts: int
    questions: int  # asked by users
    corrections: int  # that a version may learn from
    before: Marks | None  # the base, on held-out wordings of held-out users; None: it was not asked
    after: Marks | None  # the version that was promoted


@dataclass(frozen=True, kw_only=True, slots=True)
class SabotageFact:
    """What became of a version that learned wrong corrections."""

    corrections: int
    candidate: str | None  # None: no version came of them
    verdict: GateVerdict | None
    reason: str
    live: str | None  # the live version afterwards
    live_before: str
