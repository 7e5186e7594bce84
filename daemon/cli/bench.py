"""Commands for benchmarks: drift."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.session import Json, console, present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.bench.journal import FileJournal
    from monitors.bench.benchmark import Result
    from monitors.bench.plan import Design
    from monitors.bench.populations import Population

bench = typer.Typer(help="Run benchmarks on this machine.", no_args_is_help=True)


class Scale(StrEnum):
    """How much is tried; the sizes are in monitors.bench.plan."""

    QUICK = "quick"
    MEDIUM = "medium"
    FULL = "full"


@bench.command()
def drift(
    *,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Conversation file (JSON lines); repeatable. Its domains are regimes."),
    ] = None,
    packages: Annotated[
        bool,
        typer.Option("--packages", help="Add the packages chitchat-dataset and chatterbot-corpus."),
    ] = False,
    size: Annotated[Scale, typer.Option(help="Takes seconds, half an hour, or hours.")] = Scale.FULL,
    quick: Annotated[bool, typer.Option("--quick", help="Same as --size quick.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for results.json, tables and plots.")] = Path(
        "drift-bench"
    ),
    every: Annotated[
        int, typer.Option(min=1_000, help="Conversations between false alarms, as declared.")
    ] = 20_000,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Trials to run at a time.")] = 1,
    alone: Annotated[
        bool, typer.Option("--alone", help="Only our detector, in a tenth of the time.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the streams.")] = 0,
    as_json: Json = False,
) -> None:
    """Compare drift detectors on streams of your conversations.

    Reports false alarms, delays and costs. An interrupted run resumes.

    Every detector sees the same streams: some of one population, with users' sessions and daily cycles, others with
    a change to a domain that was left out.
    """
    from daemon.bench.files import write
    from daemon.bench.sources import load_populations
    from daemon.cli.render.bench import bench_screen
    from daemon.domain.clock import utc_now
    from monitors.bench.plan import SIZES, Design

    if not data and not packages:
        raise typer.BadParameter("give --data FILE, --packages, or both")
    populations = load_populations(data or (), packages=packages, now=utc_now())
    design = Design(
        size=SIZES[Scale.QUICK if quick else size],
        conversations_between_false_alarms=every,
        seed=seed,
        alone=alone,
    )
    journal = _journal(out, populations, design)
    journal.start()
    result = _measured(populations, design, processes=processes, journal=journal, quiet=as_json)
    written = write(result, out)
    journal.remove()
    present(_summary(result, written), lambda: bench_screen(result, written), as_json=as_json)


def _summary(result: "Result", written: "Sequence[Path]") -> dict[str, object]:
    return {
        "size": result.design.size.name,
        "goals": result.goals,
        "false_alarms": result.false_alarms,
        "delays": result.delays,
        "costs": result.costs,
        "left_out": result.left_out,
        "written": written,
    }


def _journal(out: Path, populations: "Sequence[Population]", design: "Design") -> "FileJournal":
    """Return the journal of this benchmark."""
    from importlib.metadata import version

    from daemon.bench.journal import FileJournal, digest_of_monitors

    conversations = {
        f"{population.family}: {population.name}": {
            "before": {name: len(found) for name, found in population.before.items()},
            "after": len(population.after),
        }
        for population in populations
    }
    return FileJournal(
        out / "unfinished.jsonl",
        {
            "version": version("retuned"),
            "code": digest_of_monitors(),
            "design": design,
            "conversations": conversations,
        },
    )


def _measured(
    populations: "Sequence[Population]",
    design: "Design",
    *,
    processes: int,
    journal: "FileJournal",
    quiet: bool,
) -> "Result":
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from monitors.bench.benchmark import benchmark
    from monitors.parent_death import end_with_parent

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"),
        TimeElapsedColumn(), TextColumn("left, about"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console(), disable=quiet, speed_estimate_period=600) as bar:

        def announce(streams: int, seconds: float) -> None:
            if not quiet:
                bar.print(
                    f"{streams} streams, {'our' if design.alone else 'every'} detector on each: "
                    f"about {seconds / 60:.0f} minutes on one core"
                )

        if journal.outcomes and not quiet:
            bar.print(f"going on after {len(journal.outcomes)} streams of a run that was cut off")
        task = bar.add_task(f"{design.size.name} benchmark", total=None)
        return benchmark(
            populations,
            design,
            processes=processes,
            begin_process=end_with_parent,
            journal=journal,
            on_start=announce,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
