"""What the demo tells people."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What sort of thing happened, for colours."""

    NEUTRAL = "neutral"
    GOOD = "good"
    ALARM = "alarm"
    WAIT = "wait"
    WORK = "work"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One thing that happened, for people."""

    kind: Kind
    text: str
    details: tuple[str, ...] = ()
