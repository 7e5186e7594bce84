"""What monitors read and what they answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Finding(StrEnum):
    """What a monitor found. Too little evidence is INCONCLUSIVE, never STABLE."""

    STABLE = "stable"
    INCONCLUSIVE = "inconclusive"
    DRIFT = "drift"


class Outcome(StrEnum):
    """What is to be done about a change, once it is known whether it hurts."""

    TRAIN = "train"
    IGNORE = "ignore"  # harmless: nothing to do
    CANT_HELP = "cant_help"  # training would not help
    UNCLEAR = "unclear"


class Aspect(StrEnum):
    """What may drift by itself."""

    INPUT = "input"  # what users say
    REPLY = "reply"  # what the assistant says
    LANGUAGE = "language"
    SHAPE = "shape"  # lengths, turns, questions
    DEFECTS = "defects"  # empty, repeated or cut-off turns: the data, not the world


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: str  # system, user or assistant
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One conversation as monitors see it."""

    id: str
    #: Samples of one group depend on each other (one user's conversations) and are permuted together.
    group: str
    at: datetime
    turns: tuple[Turn, ...]
    #: What the user thought of it, from -1 (worst) to 1 (best); None where nobody said.
    feedback: float | None = None
    version: str | None = None  # that answered, where it is known


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A closed run of conversations of one model line."""

    id: str
    model_line: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """The conversations that the live version is known to handle."""

    id: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What one monitor concluded about one window."""

    monitor: str
    window_id: str
    finding: Finding
    #: Larger is more certain, with every monitor; above the threshold is drift.
    score: float
    threshold: float
    #: One sentence, reused as it stands in the log, the alert and the promotion record.
    reason: str
    #: Further numbers by name (p-values, column scores), for reports.
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One thing that differs between reference and window."""

    aspect: str  # "word" or "descriptor"
    name: str
    reference: float  # the word's share of the words (once a conversation), or the descriptor's mean
    window: float
    score: float  # z-score of the difference; positive: more in the window


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What changed in a window, for people: most telling first."""

    window_id: str
    changes: tuple[Change, ...]
    #: Ids of the window's samples that are most typical of the change.
    examples: tuple[str, ...]
    #: Share of the window that the reference doesn't cover, 0 to 1: at least so much, with 90% confidence.
    share_new: float


class Monitor(Protocol):
    """Compares one window with a reference and says what it found.

    Judging is pure: the same window and reference give an equal verdict, in any order of calls.
    """

    @property
    def name(self) -> str: ...

    def judge(self, window: Window, reference: Reference) -> Verdict: ...
