"""The hidden command train-job, which the pod of a training's Job runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def train_job(
    *,
    artifacts: Annotated[str, typer.Option(help="URL of the artifact store, as this machine sees it.")],
    job: Annotated[str, typer.Option(help="Digest of the job's request.")],
    base: Annotated[
        Path | None, typer.Option(help="Folder of the base model; else where the job says.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder for files; else `retuned` in the folder for temporary files.")
    ] = None,
) -> None:
    """Run one training from the artifact store, for the daemon."""
    import tempfile

    from daemon.jobs.pod import Pod
    from daemon.telemetry.logs import configure_logging

    configure_logging("INFO", "auto")
    folder = work or Path(tempfile.gettempdir()) / "retuned"
    sys.exit(Pod(artifacts, job, base=base, work=folder.absolute()).run())
