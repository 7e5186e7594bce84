"""Tables of the ledger that belong to the daemon; versions and promotions are the registry's."""

from daemon.ledger.tables.drift import (
    alarms,
    detectors,
    freezes,
    references,
    reports,
    triages,
    verdicts,
    windows,
)
from daemon.ledger.tables.operations import (
    LEADER,
    erasures,
    halts,
    lease,
    offset_changes,
    tombstones,
)
from daemon.ledger.tables.release import gate_answers, lesson_scores
from daemon.ledger.tables.stream import (
    FOLLOWS,
    conversations,
    dead_letters,
    feedback,
    identity,
    opinions,
    other_names,
    past_conversations,
    positions,
    turns,
)
from daemon.ledger.tables.teaching import teacher_answers
from daemon.ledger.tables.training import (
    decisions,
    losses,
    runs,
    scores,
    train_requests,
    training_records,
)
from daemon.ledger.tables.types import UtcTime, metadata, microseconds

__all__ = [
    "FOLLOWS",
    "LEADER",
    "UtcTime",
    "alarms",
    "conversations",
    "dead_letters",
    "decisions",
    "detectors",
    "erasures",
    "feedback",
    "freezes",
    "gate_answers",
    "halts",
    "identity",
    "lease",
    "lesson_scores",
    "losses",
    "metadata",
    "microseconds",
    "offset_changes",
    "opinions",
    "other_names",
    "past_conversations",
    "positions",
    "references",
    "reports",
    "runs",
    "scores",
    "teacher_answers",
    "tombstones",
    "train_requests",
    "training_records",
    "triages",
    "turns",
    "verdicts",
    "windows",
]
