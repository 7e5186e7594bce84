"""The argument that names a version, with its completion in the shell."""

from pathlib import Path

import typer

_SETTINGS, _LINE = "config_file", "line"  # the parameters of --config and --line


def complete_version(context: typer.Context, incomplete: str) -> list[str]:
    """Return the versions that begin with what was typed: short names, or full ones where one was begun.

    A shell that completes shows no errors: where nothing can be read, nothing is offered.
    """
    from daemon.config.loader import load, settings_path
    from daemon.domain.errors import DaemonError
    from daemon.ledger.version_names import newest_version_names

    given = context.find_root().params.get(_SETTINGS)
    try:
        path = settings_path(Path(str(given)) if given else None)
        names = newest_version_names(load(path, line=context.find_root().params.get(_LINE)))
    except (DaemonError, OSError, ValueError):
        return []
    offered = [name for version in names for name in (f"v{version.number}", str(version))]
    return [name for name in offered if name.startswith(incomplete or "v")]


VERSION = typer.Argument(
    metavar="VERSION",
    help="The version: support-bot-v7, or short v7.",
    show_default=False,
    autocompletion=complete_version,
)
