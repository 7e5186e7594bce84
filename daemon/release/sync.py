"""Finishes a switch of the target that was left half-done."""

from dataclasses import dataclass

from daemon.domain.clock import Clock
from daemon.domain.errors import DaemonError
from daemon.ledger.stores import Stores
from daemon.release.publish import publish_live
from registry.errors import RegistryError
from registry.names import VersionName
from registry.types import Promotion


class NotSwitched(DaemonError):
    """The promotion log names a version that the target does not serve. Remove the cause, then ``retuned sync``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Synced:
    """What the target serves now."""

    live: VersionName | None  # None: the promotion log is empty
    switched: bool


def sync_target(stores: Stores, *, model_line: str, clock: Clock) -> Synced:
    """Have the target serve what the promotion log says is live. Repeating it changes nothing. Raises NotSwitched."""
    try:
        switched = publish_live(stores, model_line=model_line, clock=clock)
    except (OSError, RegistryError) as error:
        entry = stores.versions.newest_promotion(model_line)
        raise NotSwitched(
            f"the promotion log says that {entry.version if entry else 'nothing'} is live, but the target can't be switched: "
            f"{error}; mend that, and run `retuned sync` again"
        ) from error
    newest = stores.versions.newest_promotion(model_line)
    return Synced(live=newest.version if newest else None, switched=switched)


def switch_target(stores: Stores, entry: Promotion, clock: Clock) -> None:
    """Have the target follow an entry that was just written. Raises NotSwitched, which says how to finish it."""
    try:
        publish_live(stores, model_line=entry.model_line, clock=clock)
    except (OSError, RegistryError) as error:
        raise NotSwitched(
            f"entry {entry.position} of the promotion log is written: {entry.version} is live instead of {entry.previous}. "
            f"But the target is not switched: {error}. Mend that, and finish it: `retuned sync`. A running daemon "
            "tries it at each turn"
        ) from error
