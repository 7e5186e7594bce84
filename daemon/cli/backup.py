"""Commands that save and bring back the durable state: backup, restore."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.confirmation import confirm
from daemon.cli.session import Json, present, read_settings, refuse_missing_ledger

if TYPE_CHECKING:
    from rich.console import RenderableType

    from daemon.backup.artifacts import ArtifactsReport
    from daemon.backup.create import BackupReport
    from daemon.backup.restore import RestoreReport


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="File to write.")],
    *,
    artifacts: Annotated[
        bool,
        typer.Option("--artifacts", help="Include the artifacts; else the backup names those that it needs."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Replace FILE if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Write ledger, holdout key and live.json to one file, while the daemon runs.

    The file holds conversations and the key: keep it where only you can read it.
    """
    from daemon.backup.create import create_backup
    from daemon.domain.clock import utc_now

    settings = read_settings(context)
    refuse_missing_ledger(settings)
    if file.exists():
        confirm(f"{file} exists. Replace it?", yes=yes, as_json=as_json)
    report = create_backup(settings, file, with_artifacts=artifacts, replace=True, now=utc_now())
    present(report, lambda: _backup_screen(report), as_json=as_json)


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="File that `retuned backup` wrote.")],
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Replace the ledger that is there; it is kept under another name.")
    ] = False,
    only_artifacts: Annotated[
        bool,
        typer.Option(
            "--only-artifacts",
            help="Put only the artifacts into the artifact store, where none is overwritten; the daemon may run.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a backup, and put ledger, holdout key, live.json and artifacts in their places.

    Stop the daemon first. A backup of a ledger on SQLite can be restored to PostgreSQL, and the other way round.
    """
    from daemon.backup.artifacts import restore_artifacts
    from daemon.backup.restore import restore_backup
    from daemon.domain.clock import utc_now
    from daemon.ledger.restoring import ledger_exists
    from daemon.ledger.stores import ledger_url

    settings = read_settings(context)
    if only_artifacts:
        put = restore_artifacts(settings, file)
        present(put, lambda: _artifacts_screen(put), as_json=as_json)
        return
    if ledger_exists(ledger_url(settings)):
        question = f"{settings.model_line} has a ledger. Replace it, and keep it under another name?"
        confirm(question, yes=yes, as_json=as_json)
    report = restore_backup(
        settings, file, replace=True, now=utc_now(), clock=time.monotonic, sleep=time.sleep
    )
    present(report, lambda: _restore_screen(report), as_json=as_json)


def _backup_screen(report: "BackupReport") -> "RenderableType":
    lines = [f"{report.file}: {report.rows:,} rows, {report.versions} versions, {report.bytes / 1e6:.1f} MB"]
    left_out = [entry for entry in report.artifacts if not entry.included]
    if left_out:
        lines.append(
            f"Not included: {len(left_out)} artifacts, which a restore needs in the artifact store (--artifacts)."
        )
    lines.append("It holds conversations and the holdout key: keep it where only you can read it.")
    return "\n".join(lines)


def _artifacts_screen(report: "ArtifactsReport") -> "RenderableType":
    lines = [f"In the artifact store, from {report.file}: {', '.join(report.versions)}."]
    if report.needed:
        lines.append(f"Not in the backup: {', '.join(entry.version for entry in report.needed)}.")
    return "\n".join(lines)


def _restore_screen(report: "RestoreReport") -> "RenderableType":
    lines = [f"Restored {report.rows:,} rows of {report.created_at} from {report.file}."]
    lines += [f"Kept: {kept}" for kept in report.kept]
    if report.artifacts:
        lines.append(f"Artifacts put into the store: {report.artifacts}.")
    if report.needed:
        lines.append(
            f"Not in the backup: {len(report.needed)} artifacts; `retuned doctor` checks those in use."
        )
    if report.live is not None:
        lines.append(f"live.json names {report.live}.")
    else:
        lines.append("The live version's artifact is missing: put it into the store, then `retuned sync`.")
    lines.append("Erase again what was erased since then with `retuned forget`; then start `retuned run`.")
    return "\n".join(lines)
