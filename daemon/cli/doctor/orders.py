"""Says which operators' orders are in force: they keep the daemon from what it would do by itself."""

from collections.abc import Iterator

from daemon.cli.doctor.check import Check, passed
from daemon.config.settings import Settings
from daemon.ledger.stores import Stores
from registry.line_logs import read_outline


def check_orders(stores: Stores, settings: Settings) -> Iterator[Check]:
    """Name each order with its end. None of them is a fault."""
    outline = read_outline(stores.versions, settings.model_line)
    found = []
    if outline.hold is not None:
        found.append(f"{outline.hold}; `retuned unhold -m REASON` ends it")
    if (pause := outline.orders.paused) is not None:
        found.append(
            f"training is paused by {pause.by.name}: {pause.reason}; `retuned resume -m REASON` ends it"
        )
    if (freeze := stores.references.frozen()) is not None:
        why = f": {freeze.why}" if freeze.why else ""
        found.append(
            f"the reference is frozen by {freeze.by}{why}; `retuned reference unfreeze -m REASON` ends it"
        )
    for words in found or ["none is in force"]:
        yield passed("operator orders", words)
