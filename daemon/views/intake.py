"""The state of intake: offsets and halts."""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.domain.halts import Halt, OffsetChange
from daemon.ledger.counts import LedgerCounts, Position
from daemon.ledger.stores import Stores


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamView:
    """Positions by partition, halts and changed offsets, the newest first."""

    positions: Sequence[Position]
    halt: Halt | None
    halts: Sequence[Halt]
    offset_changes: Sequence[OffsetChange]


def stream_view(stores: Stores, *, shown: int) -> StreamView:
    """Read the intake view, with at most ``shown`` past halts and changes."""
    return StreamView(
        positions=LedgerCounts(stores.engine).positions(),
        halt=stores.halts.current(),
        halts=stores.halts.recent(shown),
        offset_changes=stores.halts.recent_offset_changes(shown),
    )
