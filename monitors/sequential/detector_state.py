"""The state that an e-detector needs to go on exactly as if it had never stopped."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitors.sequential.experts import EXPERTS, VIEWS
from monitors.types import Aspect


@dataclass(frozen=True, kw_only=True, slots=True)
class AspectWealth:
    """The result of all bets on one aspect."""

    wealth: float = 1.0  # W; above 1 it is evidence for a change
    since: int | None = None  # key of the conversation since which the wealth is above DOUBT
    weights: tuple[float, ...] = (1 / EXPERTS,) * EXPERTS  # share of each expert in the wealth
    variances: tuple[float, ...] = (0.0,) * VIEWS  # mean squared distance of fresh scores from those drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class LateState:
    """The state of the bets on one late aspect, besides the wealth."""

    until: int = 0  # number of the newest signal
    levels: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # by kind: the count of each level
    recent: tuple[int, ...] = ()  # keys of the conversations whose users are remembered, the oldest first
    count: int = 0  # signals observed
    recent_at: tuple[int, ...] = ()  # for each recent one, the number of signals observed with it


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorState:
    """The state besides the samples of its keys, which the caller keeps."""

    count: int = 0  # conversations observed
    begins: int = 0  # key after which the stream begins; late signals of earlier conversations are not bet on
    wealths: Mapping[Aspect, AspectWealth] = field(default_factory=dict)
    recent: tuple[int, ...] = ()  # keys of the remembered samples, the oldest first
    late: Mapping[Aspect, LateState] = field(default_factory=dict)

    @property
    def keys(self) -> list[int]:
        """The keys of all samples that are needed to go on, in order."""
        return sorted(set(self.recent).union(*(late.recent for late in self.late.values())))

    @property
    def wealth(self) -> float:
        """The value of the e-detector: the mean over the aspects."""
        return sum(one.wealth for one in self.wealths.values()) / len(self.wealths) if self.wealths else 1.0

    @property
    def leading_aspect(self) -> Aspect | None:
        """The aspect with the most evidence."""
        return max(self.wealths, key=lambda aspect: self.wealths[aspect].wealth, default=None)
