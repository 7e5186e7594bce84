"""How commands fail: one sentence on stderr, or JSON where it was asked for, and an exit status that tells why."""

import errno
import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

import typer
from typer.core import TyperGroup

REFUSED, MISUSED = 1, 2
#: The root of the errors of a command line that can't be read, wherever this release of typer keeps it.
_BadCommandLine: type[Exception] = typer.BadParameter.__mro__[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandFailure:
    """Why a command did nothing, or not all."""

    kind: str  # the error's class, for programs
    message: str
    exit_code: int
    mistakes: tuple[dict[str, str], ...] = field(default=())  # of a settings file, each with its place


class CommandGroup(TyperGroup):
    """The group of all commands. It turns the errors that the packages declare into messages; others are bugs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take --config wherever it stands: before the command, or after it like the command's own options."""
        return super().parse_args(ctx, config_first(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except _BadCommandLine as error:
            if not as_json:
                raise
            failed = CommandFailure(kind=type(error).__name__, message=_text(error), exit_code=MISUSED)
        except Exception as error:
            found = failure(error)
            if found is None:
                raise
            failed = found
        _report(failed, as_json=as_json)
        raise typer.Exit(failed.exit_code)


def config_first(args: list[str]) -> list[str]:
    """Move --config FILE to the front, where the group of all commands looks for it."""
    end = args.index("--") if "--" in args else len(args)
    for place, word in enumerate(args[:end]):
        if word == "--config" or word.startswith("--config="):
            width = 2 if word == "--config" else 1
            return [*args[place : place + width], *args[:place], *args[place + width :]]
    return args


def failure(error: Exception) -> CommandFailure | None:
    """Describe a declared error; None for one that nobody declared."""
    from daemon.config.loader import SettingsError
    from daemon.domain.errors import DaemonError, Misuse
    from learners.errors import LearnerError
    from registry.errors import RegistryError
    from registry.names import BadName

    kind = type(error).__name__
    if isinstance(error, SettingsError):
        mistakes = tuple(asdict(mistake) for mistake in error.mistakes)
        return CommandFailure(
            kind=kind, message=f"the settings can't be used:\n{error}", exit_code=MISUSED, mistakes=mistakes
        )
    if isinstance(error, Misuse | BadName):
        return CommandFailure(kind=kind, message=str(error), exit_code=MISUSED)
    if isinstance(error, DaemonError | RegistryError | LearnerError):
        return CommandFailure(kind=kind, message=str(error), exit_code=REFUSED)
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        return CommandFailure(
            kind=kind, message=f"{error}; check the path and its permissions", exit_code=REFUSED
        )
    return None


def _text(error: Exception) -> str:
    """Return what typer would print."""
    format_message = getattr(error, "format_message", None)
    return str(format_message() if format_message else error)


def _report(failed: CommandFailure, *, as_json: bool) -> None:
    if as_json:
        text = json.dumps({"error": asdict(failed)}, ensure_ascii=False, indent=2)
    else:
        text = f"retuned: {failed.message}"
    typer.echo(text, file=sys.stderr)
