"""Training runs, and the records that they learned from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from daemon.domain.records import Coordinates


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRecord:
    """One conversation of a run's training file, or the turns that one record brought."""

    at: Coordinates
    sha256: str | None  # of the record; None once it is erased
    origin: str  # new or replay
    group: str
    conversation_hash: str
    erased: bool = False
    line: int | None = None  # of the training file, from 0; None: the record's position
    continues: bool = False  # whether the line holds turns of other records, too
    unlearned: tuple[int, ...] = ()  # indexes of the answers among its messages that are no targets there
    skipped: str | None = None  # why the run did not learn from it
    #: What the line teaches with it, see ``daemon.training.trained_lesson``: ``kind``, and what is not as it mostly is, such as
    #: ``correction``, the digest of the feedback record whose correction it took. None: its answers were imitated.
    lesson: Mapping[str, str | int | float | None] | None = None


class RunState(StrEnum):
    """The state of a run. Ended runs never change again."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One training: its exact request, and its result."""

    id: str
    decision_id: int
    state: RunState
    request: Mapping[str, object]
    started_at: datetime
    since_seq: int
    until_seq: int  # the newest conversation that it learned from
    ended_at: datetime | None = None
    progress: Mapping[str, object] | None = None
    result: Mapping[str, object] | None = None
    error: str | None = None
