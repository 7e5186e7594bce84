"""What reading a record depends on, besides the record."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from daemon.config.settings import FeedbackSection, IntakeSection, LimitsSection
from daemon.domain.unusable_feedback import Unusable

Media: TypeAlias = Literal["placeholder", "drop"]

_FEEDBACK, _INTAKE = FeedbackSection(), IntakeSection()  # immutable, and slow to make


#: Sections are immutable, so that all readings may share them.
_INTAKE, _FEEDBACK = IntakeSection(), FeedbackSection()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The limits, choices and times that the readers of all formats need."""

    limits: LimitsSection
    received_at: datetime  # no record's time may be far after it
    recorded_at: datetime | None = None  # of a record that names no time; None: it must name one
    intake: IntakeSection = _INTAKE
    feedback: FeedbackSection = _FEEDBACK
    unusable_feedback: Counter[Unusable] = field(default_factory=Counter)  # readers of opinions add to it
