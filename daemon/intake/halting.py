"""Turns what stops a source into a halt that operators see."""

from datetime import datetime

from daemon.domain.halts import Halt, HaltKind
from daemon.domain.streams import BatchTooLarge, FetchStalled, IntakeMustHalt, OffsetLost, TopicRecreated

_KINDS: dict[type[IntakeMustHalt], HaltKind] = {
    OffsetLost: HaltKind.OFFSET_LOST,
    TopicRecreated: HaltKind.TOPIC_RECREATED,
    FetchStalled: HaltKind.FETCH_STALLED,
    BatchTooLarge: HaltKind.BATCH_TOO_LARGE,
}


def halt_of(error: IntakeMustHalt, now: datetime) -> Halt:
    """Return the halt that an error of a source asks for."""
    return Halt(
        kind=_KINDS[type(error)],
        reason=str(error),
        at=now,
        topic=error.source.topic,
        partition=error.source.partition,
    )
