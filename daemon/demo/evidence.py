"""What a demo observed, as plain values."""

from dataclasses import dataclass
from datetime import datetime

from daemon.domain.decisions import Action
from daemon.domain.runs import RunState
from registry.types import GateReport, PromotionKind


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowFact:
    """One judged window. Conversations are numbered in the ledger's order, from 1."""

    number: int
    first: int
    last: int
    finding: str
    score: float | None  # of the monitor that may raise the alarm
    threshold: float | None
    reason: str
    judged_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamFact:
    """What was sent, and what became of it."""

    sent: int
    counted: int
    held_out: int
    dead_letters: int
    repeated: int = 0  # records with the words of an earlier chat, of nobody in particular: counted there
    change_at: int | None  # number of the first conversation after the change; None: it never arrived
    changed_at: datetime | None  # when that one was sent
    windows: tuple[WindowFact, ...]  # oldest first

    @property
    def false_alarms(self) -> tuple[WindowFact, ...]:
        """Windows that drifted although everything in them came before the change."""
        return tuple(
            w
            for w in self.windows
            if w.finding == "drift" and (self.change_at is None or w.last < self.change_at)
        )

    @property
    def stable_before(self) -> int:
        """Windows that were found stable and lie wholly before the change."""
        change = self.change_at or 0
        return sum(w.finding == "stable" and w.last < change for w in self.windows)

    @property
    def alarm(self) -> WindowFact | None:
        """The first window that drifted and has conversations from after the change."""
        change = self.change_at
        found = (w for w in self.windows if change is not None and w.finding == "drift" and w.last >= change)
        return next(found, None)

    @property
    def delay(self) -> int | None:
        """Conversations from the first after the change to the one that completed the alarm."""
        return None if self.alarm is None or self.change_at is None else self.alarm.last - self.change_at + 1

    @property
    def delay_s(self) -> float | None:
        """Seconds from the first conversation after the change to the alarm."""
        if self.alarm is None or self.changed_at is None:
            return None
        return (self.alarm.judged_at - self.changed_at).total_seconds()


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionFact:
    """One decision, with its reason."""

    action: Action
    trigger: str | None
    window: int | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingFact:
    """The run that the alarm led to."""

    run: str
    state: RunState
    seconds: float | None
    ended_at: datetime | None
    result: dict[str, object]
    error: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PromotionFact:
    """One entry of the promotion log."""

    kind: PromotionKind
    version: str
    previous: str | None
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopFacts:
    """What the daemon did by itself, up to the promotion."""

    stream: StreamFact
    decisions: tuple[DecisionFact, ...]
    training: TrainingFact | None
    candidate: str | None
    gate: GateReport | None
    promotions: tuple[PromotionFact, ...]

    @property
    def promoted(self) -> PromotionFact | None:
        """The daemon's promotion."""
        return next((p for p in self.promotions if p.kind is PromotionKind.PROMOTION), None)

    @property
    def gate_s(self) -> float | None:
        """Seconds from the end of the training to the promotion."""
        if self.promoted is None or self.training is None or self.training.ended_at is None:
            return None
        return (self.promoted.at - self.training.ended_at).total_seconds()


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerFact:
    """One held-out question under two versions."""

    conversation_id: str
    question: str
    reference: str  # what was answered in the data
    base: str
    live: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RollbackFact:
    """What the operator's command did."""

    command: str
    exit_status: int
    output: str
    away_from: str
    live_pointer: str | None  # the version that live.json names afterwards
    live_history: str | None  # ... that the promotion log names
    live_metrics: str | None  # ... that the metrics name
    command_s: float
    pointer_s: float | None  # from the command's start until live.json named another version
    metrics_s: float | None  # ... until the daemon's metrics did


@dataclass(frozen=True, kw_only=True, slots=True)
class StopFact:
    """How the daemon stopped."""

    seconds: float
    exit_status: int
