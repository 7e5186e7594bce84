"""Runs the commands of ``retuned`` inside the test, as an operator would type them."""

import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from daemon.cli.app import app
from tests.factories.daemon import Line


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """What a command answered."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """Its JSON document."""
        return json.loads(self.stdout)

    @property
    def error(self) -> Any:
        """The error it gave as JSON."""
        return json.loads(self.stderr)["error"]


def typed(*words: str, environ: dict[str, str] | None = None, stdin: str = "") -> Typed:
    """Type a command, and ``stdin`` after it. An error that no command declares is raised, as it is a bug."""
    result = CliRunner().invoke(app, words, input=stdin, env={"COLUMNS": "200", **(environ or {})})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Typed(exit_code=result.exit_code, stdout=result.stdout, stderr=result.stderr)


def type_to(line: Line, *words: str) -> Typed:
    """Type a command about a model line."""
    return typed("--config", str(line.config), *words)
