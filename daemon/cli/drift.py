"""Commands about drift: show, report, calibrate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.session import Json, Verbose, console, opened, present, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Progress

    from daemon.config.settings import Settings
    from monitors.sequential.calibration import Calibration, Trials
    from monitors.types import Sample

_HISTORY = 5_000  # conversations at most: the newest

drift = typer.Typer(help="Show drift: the evidence, and what changed.", no_args_is_help=True)


@drift.command()
def show(context: typer.Context, *, verbose: Verbose = False, as_json: Json = False) -> None:
    """Show whether there is drift, the evidence by aspect, and what changed."""
    from daemon.cli.render.drift import drift_screen
    from daemon.domain.clock import utc_now
    from daemon.domain.json_values import json_value
    from daemon.views.drift import drift_view

    settings = read_settings(context)
    with opened(settings) as stores:
        seen = drift_view(stores, settings)
    present(json_value(seen), lambda: drift_screen(seen, utc_now(), verbose=verbose), as_json=as_json)


@drift.command()
def report(
    context: typer.Context,
    window: Annotated[
        int | None,
        typer.Argument(min=1, help="The window; by default that of the newest report.", show_default=False),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write; by default report-WINDOW.html.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the report of a window as one HTML file. It quotes conversations."""
    from rich.text import Text

    from daemon.views.report_files import write_report

    settings = read_settings(context)
    with opened(settings) as stores:
        written = write_report(stores.reports, window, output)
    present(
        written,
        lambda: Text(f"report of window {written.window}: {written.path} ({written.size:,} bytes)"),
        as_json=as_json,
    )


@drift.command()
def calibrate(
    context: typer.Context,
    *,
    conversations: Annotated[
        int, typer.Option(min=1_000, help="Conversations of shuffled history to replay.")
    ] = 20_000,
    within: Annotated[int, typer.Option(min=50, help="Conversations after a change to look at.")] = 1_000,
    changes: Annotated[int, typer.Option(min=1, help="Changes to try per share of new traffic.")] = 8,
    as_json: Json = False,
) -> None:
    """Estimate false alarms and delays on your own shuffled history."""
    from daemon.cli.render.drift import calibration_screen
    from daemon.domain.json_values import json_value
    from daemon.drift.samples import samples_of
    from monitors.sequential.calibration import Trials

    settings = read_settings(context)
    with opened(settings) as stores:
        history = samples_of(stores.conversations.newest(_HISTORY, held_out=False))
    trials = Trials(conversations=conversations, within=within, each=changes, seed=settings.monitors.seed)
    found = _calibrated(history, settings, trials, quiet=as_json)
    declared = settings.monitors.conversations_between_false_alarms
    present(json_value(found), lambda: calibration_screen(found, declared), as_json=as_json)


def _calibrated(
    history: "Sequence[Sample]", settings: "Settings", trials: "Trials", *, quiet: bool
) -> "Calibration":
    from rich.progress import Progress

    from daemon.domain.errors import NotEnoughData
    from daemon.drift.monitor_settings import aspects, late_aspects
    from monitors.errors import NothingToReport
    from monitors.sequential.calibration import calibrate as run
    from monitors.sequential.edetector import DetectorSettings, EDetector

    detector_settings = DetectorSettings(
        aspects=aspects(settings),
        # history tells nothing of them, but the evidence is shared with them
        late_aspects=late_aspects(settings),
        conversations_between_false_alarms=settings.monitors.conversations_between_false_alarms,
        seed=settings.monitors.seed,
    )

    def new_detector(reference: "Sequence[Sample]") -> EDetector:
        return EDetector(reference, detector_settings)

    with Progress(console=console(), disable=quiet, transient=True) as bar:
        history = _with_vectors(history, settings, bar)
        task = bar.add_task("replaying shuffled history", total=None)
        try:
            return run(
                history,
                reference_size=settings.windows.reference_size,
                new_detector=new_detector,
                trials=trials,
                on_progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        except NothingToReport as error:
            raise NotEnoughData(str(error)) from error


def _with_vectors(history: "Sequence[Sample]", settings: "Settings", bar: "Progress") -> "Sequence[Sample]":
    """Embed the history where the daemon would."""
    from daemon.drift.embeddings import embedded, embedder_launcher

    launch = embedder_launcher(settings)
    if launch is None:
        return history
    task = bar.add_task("embedding what users said", total=None)
    embedder = launch()
    try:
        return embedded(
            history,
            embedder.calls,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    finally:
        embedder.stop(1)
