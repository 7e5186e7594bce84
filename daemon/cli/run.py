"""Commands that run for a while: run, demo, replay."""

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.output import print_json
from daemon.cli.session import (
    DEBUG,
    Json,
    console,
    named_line,
    present,
    read_lines,
    read_settings,
    settings_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daemon.cli.failures import CommandFailure
    from daemon.config.sections.logging import LoggingSection
    from daemon.config.settings import Settings
    from daemon.intake.log_file import LogFileReader

_LOG_JSON = typer.Option("--json", help="Log JSON lines, whatever logging.format says.")


def run(context: typer.Context, *, as_json: Annotated[bool, _LOG_JSON] = False) -> None:
    """Run the daemon until SIGTERM: every model line of the settings, or the one that --line names."""
    from daemon.config.loader import SettingsError
    from daemon.telemetry.logs import configure_logging, log_failures_of_threads

    try:
        lines = read_lines(context)
    except SettingsError as error:
        if sys.stderr.isatty() and not as_json:
            raise
        configure_logging("INFO", "json")
        raise typer.Exit(_end(error)) from None

    only = next(iter(lines)) if len(lines) == 1 else None

    def set_up_logging(section: "LoggingSection") -> None:
        level = "DEBUG" if context.meta.get(DEBUG) else section.level
        configure_logging(level, "json" if as_json else section.format, model_line=only)

    set_up_logging(next(iter(lines.values())).logging)
    try:
        log_failures_of_threads()
        code = _run(lines, settings_file(context), named_line(context), set_up_logging)
    except Exception as error:  # noqa: BLE001 - the last resort
        code = _end(error)
    raise typer.Exit(code)


def _run(
    lines: "Mapping[str, Settings]",
    file: Path,
    named: str | None,
    configure_logging: "Callable[[LoggingSection], None]",
) -> int:
    """Run the only line, which ends the daemon where it fails, or several, none of which does."""
    from daemon.config.loader import load_again

    if len(lines) > 1:
        from daemon.runtime.lines import run_lines

        return run_lines(
            lines,
            settings_file=file,
            load=lambda name: load_again(file, name),
            describe=lambda error: _described(error).message,
            configure_logging=configure_logging,
        )
    from daemon.runtime.build import run_daemon

    [settings] = lines.values()
    return run_daemon(
        settings,
        settings_file=file,
        load=lambda: load_again(file, named),
        configure_logging=configure_logging,
    )


def _described(error: Exception) -> "CommandFailure":
    from daemon.cli.failures import failure
    from daemon.cli.unexpected import unexpected

    return failure(error) or unexpected(error)


def _end(error: Exception) -> int:
    """Log why the daemon ends; return the exit status."""
    from daemon.cli.failures import failure
    from daemon.runtime.fatal import log_fatal

    found = _described(error)
    log_fatal(found.message, error, expected=failure(error) is not None)
    return found.exit_code


def replay(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="Log of any format: JSON lines or one JSON list, plain or gzipped.")
    ],
    *,
    rate: Annotated[float, typer.Option(help="Conversations per second.", min=0.001)] = 10.0,
    topic: Annotated[str | None, typer.Option(help="Topic to write to; by default kafka.topic.")] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="Format of the file; by default each line's shape tells.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send the conversations of a file to the topic, dated now.

    Lines that hold none are passed over and counted; `retuned ingest check` says why.
    """
    from daemon.cli.ingest import known_format
    from daemon.domain.clock import utc_now
    from daemon.intake.log_file import ConversationFileError, LogFileReader
    from daemon.views.log_sample import log_sample

    settings = read_settings(context)
    topic = topic or settings.kafka.topic
    reader = LogFileReader(
        limits=settings.limits,
        received_at=utc_now(),
        intake=settings.intake,
        feedback=settings.feedback,
        format=known_format(format_) or "auto",
    )
    found = log_sample(file, reader)
    if not found.conversations:
        raise ConversationFileError(f"{file} holds no conversation; {_check_command(file)} says why")
    started = time.monotonic()
    sent = _send(settings, reader, file, topic, rate=rate, total=found.conversations, quiet=as_json)
    seconds = round(time.monotonic() - started, 3)
    left_out = {"refused": found.refused, "passed_over": found.passed_over, "feedback": found.feedback}
    present(
        {"file": file, "topic": topic, "sent": sent, "seconds": seconds, "not_sent": left_out},
        lambda: _sent(file, topic, sent, seconds, left_out),
        as_json=as_json,
    )


def _sent(file: Path, topic: str, sent: int, seconds: float, left_out: "Mapping[str, int]") -> str:
    said = f"Sent {sent:,} conversations of {file} to {topic} in {seconds:.1f} s."
    if not any(left_out.values()):
        return said
    tally = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in left_out.items() if count)
    return f"{said}\nNot sent: {tally}; {_check_command(file)} says why."


def _check_command(file: Path) -> str:
    """Return the command that tells what is wrong in a file, for a shell."""
    return f"`retuned ingest check {shlex.quote(str(file))}`"


def _send(
    settings: "Settings",
    reader: "LogFileReader",
    file: Path,
    topic: str,
    *,
    rate: float,
    total: int,
    quiet: bool,
) -> int:
    from rich.progress import Progress

    from daemon.domain.clock import utc_now
    from daemon.domain.conversation import Conversation
    from daemon.intake.replay import replay as send_all
    from daemon.kafka import KafkaSink
    from daemon.runtime.kafka_settings import load_kafka_settings

    records = (record for line in reader.read(file) for record in line.records)
    sink = KafkaSink(load_kafka_settings(settings))
    try:
        with Progress(console=console(), disable=quiet) as bar:
            task = bar.add_task(f"to {topic}", total=total)
            on_progress: Callable[[int], None] = lambda sent: bar.update(task, completed=sent)  # noqa: E731
            return send_all(
                (record for record in records if isinstance(record, Conversation)),
                sink,
                topic,
                rate=rate,
                clock=time.monotonic,
                sleep=time.sleep,
                now=utc_now,
                on_progress=on_progress,
            )
    finally:
        sink.close(2.0)


def demo(
    *,
    data: Annotated[
        Path | None, typer.Option(help="Conversation file to use instead of the demo's data.")
    ] = None,
    regimes: Annotated[
        str | None,
        typer.Option(help='Domains before and after the change: "movies+music,flights".'),
    ] = None,
    report: Annotated[Path, typer.Option(help="File for the results.")] = Path("demo-report.json"),
    workdir: Annotated[Path | None, typer.Option(help="Folder for everything; by default a new one.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Model folder or hub name; by default SmolLM2-135M-Instruct.")
    ] = None,
    bootstrap_servers: Annotated[
        str | None,
        typer.Option(
            help="A Kafka to use, without TLS or password: host:port,...; by default one is started."
        ),
    ] = None,
    rate: Annotated[float, typer.Option(help="Conversations per second.")] = 30.0,
    max_chars: Annotated[int, typer.Option(help="Leave out longer conversations (characters).")] = 1_000,
    timeout: Annotated[float, typer.Option(help="Seconds the whole demo may take.")] = 2_400.0,
    seed: Annotated[int, typer.Option(help="Seed of the order, the user split and the training.")] = 0,
    as_json: Json = False,
) -> None:
    """Run the whole loop on this machine: drift, training, gate, promotion, rollback."""
    from daemon.demo.main import run_demo
    from daemon.demo.options import DemoOptions

    options = DemoOptions(
        data=data, regimes=regimes, model=model, bootstrap_servers=bootstrap_servers, workdir=workdir, report=report,
        seed=seed, rate=rate, max_chars=max_chars, timeout_s=timeout,
    )  # fmt: skip
    if not as_json:
        raise typer.Exit(run_demo(options))
    from rich.console import Console

    code = run_demo(options, console=Console(stderr=True))
    print_json({"passed": code == 0, "report": report, "results": _results(report)})
    raise typer.Exit(code)


def _results(report: Path) -> object:
    """Return what a demo wrote into its report; None where it was interrupted before."""
    return json.loads(report.read_text(encoding="utf-8")) if report.exists() else None
