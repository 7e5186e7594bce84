"""The command init: writes a first settings file."""

import re
import shlex
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.confirmation import confirm
from daemon.cli.session import Json, present, settings_file
from daemon.domain.errors import Misuse

if TYPE_CHECKING:
    from daemon.config.first_settings import FirstAnswers

_NUMBER = re.compile(r"([0-9][0-9_, ]*)(k|m)?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000}


def init(
    context: typer.Context,
    *,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing.")] = False,
    broker: Annotated[
        str | None, typer.Option(help="Brokers: host:port, with commas between several.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Topic of the conversations.")] = None,
    model: Annotated[str | None, typer.Option(help="Folder of the base model, or its hub name.")] = None,
    state_dir: Annotated[str | None, typer.Option(help="Folder for the ledger and artifacts.")] = None,
    traffic: Annotated[
        str | None, typer.Option(help="Conversations a day, roughly, such as 2400 or 5k.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Replace the settings file if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented settings file: five questions, or --defaults.

    The traffic decides the sizes of windows, trainings and gates. The file is --config, RETUNED_CONFIG or retuned.yaml.
    """
    from daemon.config.first_settings import first_settings

    file = settings_file(context)
    if file.exists():
        confirm(f"{file} exists. Replace it?", yes=yes, as_json=as_json)
    given = {"brokers": broker, "topic": topic, "model": model, "state_dir": state_dir, "traffic": traffic}
    answers = _answers(given, ask=not defaults, as_json=as_json)
    _write(file, first_settings(answers))
    option = f" --config {shlex.quote(str(file))}" if str(file) != "retuned.yaml" else ""
    next_ = tuple(f"retuned {words}{option}" for words in ("doctor --create-topics", "run", "status"))
    result = {"file": file, "answers": answers, "next": next_}
    present(
        result, lambda: "\n".join((f"Wrote {file}. Next:", *(f"  {line}" for line in next_))), as_json=as_json
    )


def _answers(given: dict[str, str | None], *, ask: bool, as_json: bool) -> "FirstAnswers":
    """Take what was given, and ask for the rest. Raises Misuse for what no settings file may have."""
    from daemon.config.first_settings import FirstAnswers

    answers = FirstAnswers()
    for field in fields(FirstAnswers):
        text = given[field.name]
        if text is not None:
            answers = _with(answers, field.name, text)
        elif ask:
            if as_json:
                raise Misuse("nobody can be asked with --json; say --defaults, or give all five options")
            answers = _asked(answers, field.name)
    return answers


def _asked(answers: "FirstAnswers", name: str) -> "FirstAnswers":
    """Ask until the answer can be used. Raises Misuse at the end of the input."""
    default: Any = getattr(answers, name)
    shown = ", ".join(default) if isinstance(default, tuple) else str(default)
    while True:
        try:
            text = typer.prompt(_QUESTIONS[name], default=shown, err=True)
        except typer.Abort as error:
            raise Misuse("not all questions were answered; --defaults asks none") from error
        try:
            return _with(answers, name, text)
        except Misuse as problem:
            typer.echo(f"{problem}", err=True)


def _with(answers: "FirstAnswers", name: str, text: str) -> "FirstAnswers":
    """Return the answers with one more. Raises Misuse."""
    from pydantic import ValidationError

    from daemon.config.first_settings import check_answers

    changed = replace(answers, **{name: _READ[name](text.strip())})
    try:
        check_answers(changed)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise Misuse(f"{_OPTIONS[name]} {text!r}: {problem}") from error
    return changed


def _count(text: str) -> int:
    matched = _NUMBER.fullmatch(text)
    number = int(re.sub(r"[^0-9]", "", matched[1])) * _FACTORS[(matched[2] or "").lower()] if matched else 0
    if not 1 <= number <= 1_000_000_000:
        raise Misuse(f"--traffic {text!r}: give the conversations of a day as a number, such as 2400 or 5k")
    return number


def _brokers(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_QUESTIONS = {
    "brokers": "Kafka broker, host:port (`retuned broker` runs one for a try)",
    "topic": "Topic of the conversations",
    "model": "Base model, a folder or a hub name",
    "state_dir": "Folder for the daemon's state",
    "traffic": "Conversations a day, roughly",
}
_OPTIONS = {
    "brokers": "--broker", "topic": "--topic", "model": "--model", "state_dir": "--state-dir", "traffic": "--traffic",
}  # fmt: skip
_READ: dict[str, Callable[[str], Any]] = {
    "brokers": _brokers, "topic": str, "model": str, "state_dir": Path, "traffic": _count,
}  # fmt: skip


def _write(file: Path, text: str) -> None:
    """Write the file in one step."""
    from atomicwrites import atomic_write

    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(str(file), overwrite=True, encoding="utf-8") as opened:
        opened.write(text)
    file.chmod(0o644)
