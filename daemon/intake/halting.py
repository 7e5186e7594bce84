"""Turns an error of the source into a halt."""

from datetime import datetime

from daemon.domain.halts import Halt, HaltKind
from daemon.domain.streams import BatchTooLarge, FetchStalled, IntakeMustHalt, OffsetLost, TopicRecreated

_KINDS: dict[type[IntakeMustHalt], HaltKind] = {
    OffsetLost: HaltKind.OFFSET_LOST,
    TopicRecreated: HaltKind.TOPIC_RECREATED,
    FetchStalled: HaltKind.FETCH_STALLED,
    BatchTooLarge: HaltKind.BATCH_TOO_LARGE,
}


def halt_for(error: IntakeMustHalt, now: datetime) -> Halt:
    """Return the halt to record for an error that an operator must resolve."""
    return Halt(
        kind=_KINDS[type(error)],
        reason=str(error),
        at=now,
        topic=error.source.topic,
        partition=error.source.partition,
    )
