"""Says where the logs of child processes are."""

from pathlib import Path
from typing import Literal

from daemon.config.settings import Settings


def child_log(settings: Settings, child: Literal["embedder", "judge", "scorer"]) -> Path:
    """Return the file that a child of this model line logs into. The trainer's is in the folder of its run."""
    return settings.state_dir.absolute() / "logs" / f"{child}.log"
