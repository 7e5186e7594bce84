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
    "named_line",
    "opened",
    "operator",
    "present",
    "read_lines",
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

#: The keys in a context's meta of whether ``--debug`` was typed, and of what ``--line`` names.
DEBUG, LINE = "retuned.debug", "retuned.line"


def read_settings(context: typer.Context) -> "Settings":
    """Return the settings of the model line that the command is about. Raises SettingsError, NoSuchLine, SeveralLines."""
    from daemon.config.loader import load

    return load(settings_file(context), line=named_line(context))


def read_lines(context: typer.Context) -> "dict[str, Settings]":
    """Return the settings of the model line that --line names, else of all, by name. Raises SettingsError, NoSuchLine."""
    from daemon.config.loader import load_lines

    return load_lines(settings_file(context), only=named_line(context))


def named_line(context: typer.Context) -> str | None:
    """Return the model line that --line or RETUNED_LINE names, if any."""
    name: str | None = context.meta.get(LINE)
    return name


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
