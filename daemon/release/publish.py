"""Switches the target to the version that the promotion log says is live."""

from pathlib import Path

from daemon.domain.clock import Clock
from daemon.ledger.stores import Stores
from registry.directory_target import BadPointer
from registry.names import VersionName
from registry.targets import Target
from registry.types import Version


def publish_live(stores: Stores, *, model_line: str, clock: Clock) -> bool:
    """Serve the version that the promotion log says is live; return whether the target had to be switched.

    A repeated call changes nothing. The log is read again after each switch, so when several processes publish at the
    same time, the last one to switch has seen the newest entry. Raises BadArtifact or OSError; the target then stays
    as it was.
    """
    switched = False
    while (entry := stores.versions.newest_promotion(model_line)) and entry.version != _served(stores.target):
        version = stores.versions.version(entry.version)
        stores.target.serve(version, local_artifact(stores, version), now=clock())
        switched = True
    return switched


def local_artifact(stores: Stores, version: Version) -> Path | None:
    """Return a version's artifact folder on this machine, checked; None for the bare base. Raises BadArtifact, OSError."""
    return None if version.artifact is None else stores.artifacts.fetch(version.artifact, version.digest)


def _served(target: Target) -> VersionName | None:
    """Return the version that is served; None where the pointer is damaged and must be written again."""
    try:
        return target.current()
    except BadPointer:
        return None
