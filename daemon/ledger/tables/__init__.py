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
from daemon.ledger.tables.stream import (
    conversations,
    dead_letters,
    feedback,
    identity,
    opinions,
    past_conversations,
    positions,
)
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
    "halts",
    "identity",
    "lease",
    "losses",
    "metadata",
    "microseconds",
    "offset_changes",
    "opinions",
    "past_conversations",
    "positions",
    "references",
    "reports",
    "runs",
    "scores",
    "tombstones",
    "train_requests",
    "training_records",
    "triages",
    "verdicts",
    "windows",
]
