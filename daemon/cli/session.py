"""Gives every command its settings and its stores, and hands on its output."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from daemon.cli.output import Json, console, present
from daemon.domain.errors import LedgerError

if TYPE_CHECKING:
    from daemon.config.settings import Settings
    from daemon.ledger.stores import Stores
    from registry.types import Actor

__all__ = [
    "Json",
    "Reason",
    "Verbose",
    "console",
    "opened",
    "operator",
    "present",
    "read_settings",
    "refuse_missing_ledger",
    "settings_file",
]

Verbose: TypeAlias = Annotated[
    bool, typer.Option("--verbose", "-v", help="Add each monitor's verdict and its numbers.")
]

Reason: TypeAlias = Annotated[
    str, typer.Option("-m", "--reason", help="The reason, for the log.", show_default=False)
]

#: The key in a context's meta of whether ``--debug`` was typed.
DEBUG = "retuned.debug"


def read_settings(context: typer.Context) -> "Settings":
    """Read the settings file. Raises SettingsError."""
    from daemon.config.loader import load

    return load(settings_file(context))


def settings_file(context: typer.Context) -> Path:
    """Return the path of the settings file: --config, RETUNED_CONFIG, or retuned.yaml."""
    from daemon.config.loader import settings_path

    return settings_path(context.find_root().obj)


@contextmanager
def opened(settings: "Settings") -> Iterator["Stores"]:
    """Open the stores of a model line that has been started. Raises LedgerError."""
    from sqlalchemy.exc import SQLAlchemyError

    from daemon.ledger.stores import open_stores

    refuse_missing_ledger(settings)
    stores = open_stores(settings, may_create_key=False)
    try:
        yield stores
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise LedgerError(f"the ledger can't be read: {cause}; run `retuned doctor`") from error
    finally:
        stores.engine.dispose()


def refuse_missing_ledger(settings: "Settings") -> None:
    """Raise LedgerError where there is no ledger, so that no command creates an empty one.

    It is a LedgerLost where there was one.
    """
    from daemon.ledger.database import sqlite_file
    from daemon.ledger.stores import ledger_url
    from daemon.runtime.fresh_ledger import refuse_lost_file

    refuse_lost_file(settings)
    file = sqlite_file(ledger_url(settings))
    if file is not None and not file.exists():
        raise LedgerError(
            f"{settings.model_line} was never started here: there is no ledger at {file}. "
            "Start it with `retuned run`, or check --config and state_dir."
        )


def operator() -> "Actor":
    """Return who is running the command."""
    from registry.types import Actor

    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        name = f"uid {os.getuid()}"
    return Actor(kind="operator", name=name)
