"""How windows are judged."""

from dataclasses import dataclass, field

from monitors.errors import InvalidSettings
from monitors.sample_requirements import SampleRequirements
from monitors.types import Aspect, Verdict

#: Names of the window monitors, in the order in which reports show them.
MONITORS = ("mmd", "columns", "text_domain")


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitorSettings:
    """How windows are judged. Plain values that cross to the judging process."""

    #: Average run length between false alarms. Larger: fewer false alarms, later detection.
    conversations_between_false_alarms: int = 20_000
    #: Fewest permutations of a test; a smaller false-alarm rate draws more. Larger: finer p-values, slower.
    permutations: int = 1_999
    seed: int = 0
    #: Least evidence for a verdict. Larger: no verdict on small windows.
    minimum: SampleRequirements = field(default_factory=SampleRequirements)
    #: Monitors that run, a selection of MONITORS.
    monitors: tuple[str, ...] = MONITORS
    #: Monitors that may confirm an alarm of the sequential detector, on a window that the alarm did not come from.
    confirm_by: tuple[str, ...] = ("mmd",)
    #: Whether this window may confirm an alarm. If so, tests use ``confirmation_level``, else the declared rate.
    confirming: bool = False
    #: Level of a confirmation. Larger: weaker changes are confirmed, and more false alarms.
    confirmation_level: float = 0.05
    #: Whether an alarm was raised in this window; the window is then always explained.
    alarmed: bool = False
    #: Aspect with the most evidence, by the raised or pending alarm; the explanation is about it.
    leading_aspect: Aspect | None = None
    #: Verdict of the sequential detector on this window, for the report.
    detected: Verdict | None = None
    #: Maximum number of words, characters and descriptors in an explanation.
    explanation_limit: int = 12
    #: Length of the stream's cycle in days; windows are compared with conversations at their time of day. 0: no cycle.
    cycle_days: float = 0.0

    def __post_init__(self) -> None:
        unknown = {*self.monitors, *self.confirm_by} - {*MONITORS}
        if unknown:
            raise InvalidSettings(
                f"no such monitor: {', '.join(sorted(unknown))}; there are {', '.join(MONITORS)}"
            )
        if not {*self.confirm_by} <= {*self.monitors}:
            raise InvalidSettings("confirm_by must be among monitors: one that does not run can't confirm")
        if not 0 < self.confirmation_level < 1:
            raise InvalidSettings("confirmation_level must be between 0 and 1")
        if self.conversations_between_false_alarms < 1:
            raise InvalidSettings("conversations_between_false_alarms must be at least 1")
