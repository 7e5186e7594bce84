"""Asks before a command destroys something."""

from typing import TYPE_CHECKING

import typer

from daemon.cli.output import console
from daemon.domain.errors import DaemonError

if TYPE_CHECKING:
    from rich.console import RenderableType


class NotConfirmed(DaemonError):
    """Nobody confirmed the command, so nothing was done."""


def confirm(question: str, *, yes: bool, as_json: bool, screen: "RenderableType | None" = None) -> None:
    """Show what is about to be done, and ask, unless --yes was given. Raises NotConfirmed.

    A program that reads JSON can't be asked: it has to say --yes.
    """
    if yes:
        return
    if as_json:
        raise NotConfirmed("not confirmed: nobody can be asked with --json; repeat the command with --yes")
    if screen is not None:
        console().print(screen)
    try:
        answer = typer.confirm(question)
    except typer.Abort as error:  # the end of the input, or Ctrl-C
        typer.echo()
        raise NotConfirmed("not confirmed, so nothing was done; --yes confirms without a question") from error
    if not answer:
        raise NotConfirmed("not confirmed, so nothing was done")
