"""Where the parts of a model line's durable state lie."""

from pathlib import Path

from daemon.config.settings import Settings
from daemon.ledger.stores import artifacts_url, target_dir
from registry.artifacts import FsspecArtifactStore
from registry.directory_target import POINTER


def pointer_file(settings: Settings) -> Path:
    """Return the file that names the live version."""
    return (target_dir(settings) / POINTER).absolute()


def artifact_store(settings: Settings) -> FsspecArtifactStore:
    """Return the artifact store."""
    return FsspecArtifactStore(artifacts_url(settings), cache=settings.state_dir / "cache")
