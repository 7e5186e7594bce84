"""Compares what the promotion log says is live with what the target announces and what the daemon follows."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.ledger.stores import Stores
from daemon.release.publish import is_served
from registry.errors import RegistryError
from registry.names import VersionName

#: A running daemon follows an entry at its next turn; a difference is told once it had this long.
_FOLLOWS_WITHIN = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedView:
    """Which version is live by the log, by the target and by the daemon."""

    log: VersionName | None
    target: VersionName | None
    daemon: str | None  # None: no daemon says
    problem: str | None  # how they differ, in one sentence; None where they agree


def served_view(stores: Stores, model_line: str, *, daemon: str | None, now: datetime) -> ServedView:
    """Compare the three; ``daemon`` is the version that the running daemon says is live."""
    entry = stores.versions.newest_promotion(model_line)
    log = entry.version if entry else None
    target, problem = _target(stores, log)
    settled = entry is not None and now - entry.at > _FOLLOWS_WITHIN
    if problem is None and daemon is not None and daemon != str(log) and settled:
        problem = f"the promotion log says that {log} is live, but the running daemon follows {daemon}"
    return ServedView(log=log, target=target, daemon=daemon, problem=problem)


def _target(stores: Stores, log: VersionName | None) -> tuple[VersionName | None, str | None]:
    """Return what the target names, and how that differs from the log."""
    try:
        target = stores.target.current()
        if target == log:
            same = log is None or is_served(stores, stores.versions.version(log))
            folder = f"the target names {log} with another folder or digest than the one that it has now"
            return target, None if same else folder
    except (RegistryError, OSError) as error:
        return None, f"the target can't be read: {error}"
    says = "nothing" if target is None else target
    return target, f"the promotion log says that {log or 'nothing'} is live, but the target names {says}"
