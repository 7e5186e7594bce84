"""Switches the target to the version that the promotion log says is live."""

import logging
from pathlib import Path

from daemon.domain.clock import Clock
from daemon.ledger.stores import Stores
from registry.types import Version

_log = logging.getLogger(__name__)


def publish_live(stores: Stores, *, model_line: str, clock: Clock) -> bool:
    """Serve the version that the promotion log says is live; return whether the target had to be switched.

    A target that names the right version with another folder, because the state folder was moved, is switched too. A
    repeated call changes nothing. The log is read again after each switch, so when several processes publish at the
    same time, the last one to switch has seen the newest entry. Raises BadArtifact or OSError; the target then stays
    as it was.
    """
    switched = False
    while entry := stores.versions.newest_promotion(model_line):
        version = stores.versions.version(entry.version)
        if is_served(stores, version):
            break
        stores.target.serve(version, local_artifact(stores, version), now=clock())
        switched = True
    if switched:
        _advance_marks(stores)
    return switched


def is_served(stores: Stores, version: Version) -> bool:
    """Return whether the target names a version, with the folder where its artifact is. Raises OSError."""
    folder = (
        None if version.artifact is None else stores.artifacts.local_folder(version.artifact, version.digest)
    )
    return stores.target.serves(version, folder)


def local_artifact(stores: Stores, version: Version) -> Path | None:
    """Return a version's artifact folder on this machine, checked; None for the bare base. Raises BadArtifact, OSError."""
    return None if version.artifact is None else stores.artifacts.fetch(version.artifact, version.digest)


def _advance_marks(stores: Stores) -> None:
    """Note how far the log has come. A mark that can't be written is an older one, which is no mistake."""
    try:
        stores.marks.advance()
    except OSError as error:
        _log.info("the mark of the ledger can't be written: %s", error, extra={"action": "serve"})
