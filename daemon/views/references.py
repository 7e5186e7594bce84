"""The reference: its conversations, the share of the cycle it spans, and who froze it."""

from dataclasses import dataclass
from datetime import timedelta

from daemon.config.settings import Settings
from daemon.domain.windows import Freeze, StoredReference
from daemon.ledger.counts import LedgerCounts
from daemon.ledger.reference_widening import WidenBlocker
from daemon.ledger.stores import Stores


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceView:
    """Everything that ``retuned reference show`` shows."""

    reference: StoredReference | None
    collected: int  # conversations that it has so far
    spanned_days: float
    cycle_days: float  # it is widened up to; 0: no cycle is expected
    freeze: Freeze | None
    stays: WidenBlocker | None  # why it is not widened
    earlier: tuple[
        StoredReference, ...
    ]  # that may be recognised, or come back with their versions; the newest first


def reference_view(stores: Stores, settings: Settings) -> ReferenceView:
    """Read the reference view."""
    counts = LedgerCounts(stores.engine).windows()
    reference = counts.reference
    return ReferenceView(
        reference=reference,
        collected=counts.collected,
        spanned_days=reference.spanned / timedelta(days=1) if reference else 0.0,
        cycle_days=settings.windows.reference_days,
        freeze=stores.references.frozen(),
        stays=stores.references.widen_blocker(),
        earlier=tuple(stores.references.earlier()),
    )
