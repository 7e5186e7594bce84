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
    LABEL = "label"  # intents and the like, where the producer names them
    QUALITY = "quality"  # what users think of the answers
    FEEDBACK_RATE = "feedback_rate"  # how many users say what they think, whatever it is
    CONCEPT = "concept"  # the live version's loss: the same questions want other answers
    EMBEDDING = "embedding"  # what users mean, where an embedding model is configured


#: Every conversation says something about these; about others only where the settings ask for it.
PLAIN_ASPECTS = (Aspect.INPUT, Aspect.REPLY, Aspect.LANGUAGE, Aspect.SHAPE, Aspect.DEFECTS)


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
    labels: tuple[tuple[str, str], ...] = ()  # (field, value), such as ("intent", "refund")
    #: What the user said as a vector, little-endian float32; None where no model is configured, or it did not answer.
    embedding: bytes | None = None


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
    title: str = ""  # what people call it


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

    aspect: str  # "word", "characters", "descriptor", "label" or "defect"
    name: str
    reference: float  # the word's share of the words (once a conversation), or the mean of the descriptor, or a share
    window: float
    score: float  # z-score of the difference; positive: more in the window


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """Something that more users, or fewer, talk about than before."""

    words: tuple[str, ...]  # that name it, most telling first
    reference: float  # share of the users
    window: float
    #: Share of false ones to expect among all topics that are at least as sure (Benjamini and Hochberg's adjusted p).
    false_discovery: float


@dataclass(frozen=True, kw_only=True, slots=True)
class WordEffect:
    """What one word does to the domain classifier's opinion of the window's conversations: SHAP values, in log-odds."""

    word: str
    strength: float  # mean of their absolute values
    mean: float  # positive: conversations look new by having it, or by not having it
    having: float  # of one that has it: positive where having it looks new


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainView:
    """How well a linear classifier of words tells window from reference, and by which words."""

    #: How often it finds a conversation of the window newer than one of the reference, on users it never saw.
    auc: float
    lower: float  # of a 95% interval
    upper: float
    words: tuple[WordEffect, ...]  # strongest first

    @property
    def tells_apart(self) -> bool:
        """Whether chance alone would not do as well."""
        return self.lower > 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What changed in a window, for people: most telling first."""

    window_id: str
    changes: tuple[Change, ...]
    #: Ids of the window's samples that are most typical of the change.
    examples: tuple[str, ...]
    #: Share of the window that the reference doesn't cover, 0 to 1: at least so much, with 90% confidence.
    share_new: float
    topics: tuple[Topic, ...] = ()  # surest first
    domain: DomainView | None = None  # None where there are too few words or users
    speaker: str = "user"  # whose words these are: the assistant's where the change is mostly in replies


class Monitor(Protocol):
    """Compares one window with a reference and says what it found.

    Judging is pure: the same window and reference give an equal verdict, in any order of calls.
    """

    @property
    def name(self) -> str: ...

    def judge(self, window: Window, reference: Reference) -> Verdict: ...
