"""Reports why a command failed: one sentence on stderr, or JSON with --json, and an exit status."""

import errno
import sys
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

import typer
from typer.core import TyperGroup

from daemon.cli.exit_codes import ExitCode, exit_code_of
from daemon.cli.output import as_text, schema_name

#: Options of all commands that have a value.
_WITH_VALUE = ("--config", "--line")


@runtime_checkable
class _UsageError(Protocol):
    """An error of typer about what was typed. Its class has moved between releases; its method has not."""

    def format_message(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandFailure:
    """Why a command failed."""

    kind: str  # the error's class, for programs
    message: str
    exit_code: int
    mistakes: tuple[dict[str, str], ...] = field(default=())  # in the settings, each with its path


class CommandGroup(TyperGroup):
    """The group of all commands. It reports declared errors as messages; ``main`` reports any other."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Accept --config, --line and --debug before and after the command."""
        try:
            return super().parse_args(ctx, config_first(args))
        except Exception as error:
            failed = _usage_failure(error) if "--json" in args else None
            if failed is None:
                raise
        report(failed, as_json=True)
        raise typer.Exit(failed.exit_code)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and report its failure."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except Exception as error:
            failed = _usage_failure(error) if as_json else None
            failed = failed or failure(error)
            if failed is None:
                raise
            if ctx.params.get("debug"):
                traceback.print_exception(error)
        report(failed, as_json=as_json)
        raise typer.Exit(failed.exit_code)


def config_first(args: list[str]) -> list[str]:
    """Move ``--config FILE``, ``--line NAME`` and ``--debug`` to the front, where the group of all commands expects them."""
    end = args.index("--") if "--" in args else len(args)
    moved: list[str] = []
    rest: list[str] = []
    words = iter(args[:end])
    for word in words:
        if word in _WITH_VALUE:
            moved += [word, *(value for value in [next(words, None)] if value is not None)]
        elif word == "--debug" or word.startswith(tuple(f"{name}=" for name in _WITH_VALUE)):
            moved.append(word)
        else:
            rest.append(word)
    return [*moved, *rest, *args[end:]]


def failure(error: Exception) -> CommandFailure | None:
    """Describe a declared error; return None for any other."""
    from daemon.config.loader import SettingsError
    from daemon.domain.errors import DaemonError
    from daemon.domain.os_errors import os_failure
    from learners.errors import LearnerError
    from registry.errors import RegistryError

    kind, code = type(error).__name__, exit_code_of(type(error))
    if isinstance(error, SettingsError):
        mistakes = tuple(asdict(mistake) for mistake in error.mistakes)
        message = f"the settings are invalid:\n{error}"
        return CommandFailure(kind=kind, message=message, exit_code=code, mistakes=mistakes)
    if isinstance(error, DaemonError | RegistryError | LearnerError):
        return CommandFailure(kind=kind, message=str(error), exit_code=code)
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        return CommandFailure(kind=kind, message=os_failure(error), exit_code=code)
    return None


def _usage_failure(error: Exception) -> CommandFailure | None:
    """Describe a usage error, which typer would print as text."""
    if not isinstance(error, _UsageError):
        return None
    return CommandFailure(
        kind=type(error).__name__, message=error.format_message(), exit_code=ExitCode.MISUSED
    )


def report(failed: CommandFailure, *, as_json: bool) -> None:
    """Print the failure to stderr."""
    if as_json:
        text = as_text({"schema": schema_name("error"), "error": asdict(failed)})
    else:
        text = f"retuned: {failed.message}"
    with suppress(BrokenPipeError):
        typer.echo(text, file=sys.stderr)
