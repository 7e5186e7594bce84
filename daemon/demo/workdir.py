"""The folder that a demo keeps its files in."""

import tempfile
from pathlib import Path

from daemon.demo.config import CONFIG_FILE
from daemon.demo.errors import BadOptions


def make_workdir(workdir: Path | None) -> Path:
    """Create the work folder; None: a temporary one. Raises BadOptions where it holds an earlier demo."""
    if workdir is None:
        return Path(tempfile.mkdtemp(prefix="retuned-demo-"))
    if (workdir / CONFIG_FILE).exists():
        raise BadOptions(f"{workdir} holds an earlier demo; name a fresh folder with --workdir")
    workdir.mkdir(parents=True, exist_ok=True)
    return workdir.absolute()
