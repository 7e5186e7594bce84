"""The state that an e-detector needs to go on exactly as if it had never stopped."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitors.sequential.conformal_bets import LateState, remembered_keys
from monitors.sequential.wealth import AspectWealth
from monitors.types import Aspect


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
        return sorted(remembered_keys(self.late.values()) | set(self.recent))

    @property
    def wealth(self) -> float:
        """The value of the e-detector: the mean over the aspects."""
        return sum(one.wealth for one in self.wealths.values()) / len(self.wealths) if self.wealths else 1.0

    @property
    def leading_aspect(self) -> Aspect | None:
        """The aspect with the most evidence."""
        return max(self.wealths, key=lambda aspect: self.wealths[aspect].wealth, default=None)
