"""The inputs and results of monitors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Finding(StrEnum):
    """The finding of a monitor. Too little evidence is INCONCLUSIVE, never STABLE."""

    STABLE = "stable"
    INCONCLUSIVE = "inconclusive"
    DRIFT = "drift"


class Outcome(StrEnum):
    """The outcome of a triage: what is to be done about a change."""

    TRAIN = "train"
    IGNORE = "ignore"  # harmless: nothing to do
    CANT_HELP = "cant_help"  # training would not help
    UNCLEAR = "unclear"


class Aspect(StrEnum):
    """A property of conversations that may drift on its own."""

    INPUT = "input"  # what users say
    REPLY = "reply"  # what the assistant says
    LANGUAGE = "language"
    SHAPE = "shape"  # lengths, turns, questions
    DEFECTS = "defects"  # empty, repeated or cut-off turns, which are faults of the data
    LABEL = "label"  # intents and the like, where the producer gives them
    QUALITY = "quality"  # users' feedback on the answers
    FEEDBACK_RATE = "feedback_rate"  # share of users who give feedback of any kind
    CONCEPT = "concept"  # the live version's loss: the same questions need other answers
    EMBEDDING = "embedding"  # the meaning of users' text, where an embedding model is configured


#: Aspects that every conversation has; others take part only where the settings enable them.
PLAIN_ASPECTS = (Aspect.INPUT, Aspect.REPLY, Aspect.LANGUAGE, Aspect.SHAPE, Aspect.DEFECTS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: str  # system, user or assistant
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One conversation, as monitors read it."""

    id: str
    #: The user, or the conversation itself where the user is unknown. Samples of one group depend on each other.
    group: str
    at: datetime
    turns: tuple[Turn, ...]
    #: The user's feedback, from -1 (worst) to 1 (best); None without feedback.
    feedback: float | None = None
    version: str | None = None  # that answered; None: unknown
    labels: tuple[tuple[str, str], ...] = ()  # (field, value), such as ("intent", "refund")
    #: The user's text as a vector, little-endian float32; None without a model, or where it did not answer.
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
    title: str = ""  # for display


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The conclusion of one monitor about one window."""

    monitor: str
    window_id: str
    finding: Finding
    #: Larger is more certain; above the threshold is drift.
    score: float
    threshold: float
    #: One sentence, used unchanged in logs, alerts and promotion records.
    reason: str
    #: Further numbers by name (p-values, column scores), for reports.
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference between reference and window."""

    aspect: str  # "word", "characters", "descriptor", "label" or "defect"
    name: str
    reference: float  # share of the words (each once a conversation), mean of the descriptor, or share of conversations
    window: float
    score: float  # z-score of the difference; positive: more in the window


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """A topic whose share of the users changed."""

    words: tuple[str, ...]  # typical words, the most typical first
    reference: float  # share of the users
    window: float
    #: Expected share of false ones among all topics that are at least as certain (Benjamini and Hochberg's adjusted p).
    false_discovery: float


@dataclass(frozen=True, kw_only=True, slots=True)
class WordEffect:
    """The effect of one word on the domain classifier's scores of the window: SHAP values, in log-odds."""

    word: str
    strength: float  # mean of their absolute values
    mean: float  # positive: its presence or absence makes the window look new
    having: float  # of a conversation with the word; positive: the word looks new


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainView:
    """How well a linear classifier of words distinguishes window and reference, and by which words."""

    #: Probability that it scores a conversation of the window as newer than one of the reference, for unseen users.
    auc: float
    lower: float  # of a 95% interval
    upper: float
    words: tuple[WordEffect, ...]  # strongest first

    @property
    def tells_apart(self) -> bool:
        """Whether the classifier is better than chance, with 95% confidence."""
        return self.lower > 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What changed in a window; the most certain changes are first."""

    window_id: str
    changes: tuple[Change, ...]
    #: Ids of the window's samples that are most typical of the change.
    examples: tuple[str, ...]
    #: Lower bound of the share of the window that the reference does not cover, 0 to 1, with 90% confidence.
    share_new: float
    topics: tuple[Topic, ...] = ()  # most certain first
    domain: DomainView | None = None  # None where there are too few words or users
    speaker: str = "user"  # of the words: "assistant" where replies are the leading aspect


class Monitor(Protocol):
    """Compares one window with a reference.

    Judging is pure: the same window and reference give an equal verdict, in any order of calls.
    """

    @property
    def name(self) -> str: ...

    def judge(self, window: Window, reference: Reference) -> Verdict: ...
