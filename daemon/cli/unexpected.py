"""The last resort of every command: an error that nobody expected becomes one line, never a traceback."""

import re
import sys
import traceback
from collections.abc import Sequence

import typer

from daemon.cli.exit_codes import ExitCode
from daemon.cli.failures import CommandFailure, report

_MOST_CHARS = 500
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@:\s]*):[^/@\s]*@")
_REPORT_IT = (
    "this is a bug of retuned, or of a library: please report it with the output of the same command with "
    "--debug, which adds the traceback"
)
_INSTALL = "install retuned again: a library is missing or broken"


def unexpected(error: Exception) -> CommandFailure:
    """Describe an error that no command declares."""
    kind = type(error).__name__
    text = _PASSWORD_IN_URL.sub(r"\1:***@", " ".join(str(error).split()))[:_MOST_CHARS]
    if isinstance(error, ImportError):
        remedy = _INSTALL
    elif isinstance(error, MemoryError):
        remedy = "there is not enough memory: free some"
    else:
        remedy = _REPORT_IT
    message = f"unexpected error: {f'{kind}: {text}' if text else kind}; {remedy}"
    return CommandFailure(kind=kind, message=message, exit_code=ExitCode.FAILED)


def report_unexpected(error: Exception, arguments: Sequence[str]) -> int:
    """Report an error as the command's arguments ask for it; return the exit status."""
    found = unexpected(error)
    report(found, as_json="--json" in arguments)
    if "--debug" in arguments:
        typer.echo("".join(traceback.format_exception(error)), file=sys.stderr)
    return found.exit_code
