"""What reading a record depends on, besides the record."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from daemon.config.settings import IntakeSection, LimitsSection

Media: TypeAlias = Literal["placeholder", "drop"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The limits, choices and times that the readers of all formats need."""

    limits: LimitsSection
    received_at: datetime  # no record's time may be far after it
    recorded_at: datetime | None = None  # of a record that names no time; None: it must name one
    intake: IntakeSection = field(default_factory=IntakeSection)
