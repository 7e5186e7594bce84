"""Runs a demo and reports whether every check passed."""

from rich.console import Console
from rich.text import Text

from daemon.demo.checks import check_all, failed
from daemon.demo.demo_run import DemoRun
from daemon.demo.events import Kind
from daemon.demo.launch.story import LaunchStory
from daemon.demo.options import DemoOptions
from daemon.demo.regimes import Regime, chats, choose
from daemon.demo.report import Outcome, write
from daemon.demo.story import RegimesStory
from daemon.demo.summary import summary
from daemon.demo.view import View
from daemon.demo.workdir import make_workdir
from daemon.domain.clock import utc_now
from daemon.domain.errors import DaemonError
from learners.errors import LearnerError
from registry.errors import RegistryError

_INTERRUPTED = 130  # as shells report SIGINT


def run_demo(options: DemoOptions, *, console: Console | None = None) -> int:
    """Run the closed loop once; return 0 only if every check passed.

    Writes the results to ``options.report``, also after a failure. An interrupted demo leaves nothing behind.
    Raises BadOptions, NotEnoughConversations, DemoDataMissing or ConversationFileError before it starts anything.
    """
    view = View(console or Console())
    started_at, problem = utc_now(), None
    launch = options.data is None
    source = chats(options) if launch else choose(options, now=started_at)
    run = DemoRun(options, view, folder=make_workdir(options.workdir))
    story = LaunchStory(run, source) if isinstance(source, Regime) else RegimesStory(run, source)
    try:
        with view:
            story.run()
    except KeyboardInterrupt:
        run.forget()
        view.tell("interrupted; everything was stopped", Kind.BAD)
        return _INTERRUPTED
    except (DaemonError, LearnerError, RegistryError) as error:
        problem = str(error)
    margin = run.settings.gate.margin if run.settings else 0.0
    outcome = Outcome(
        started_at=started_at,
        options=options,
        regimes=story.regimes,
        findings=run.findings,
        checks=check_all(run.findings, margin=margin, launch=launch),
        problem=problem,
        seconds=run.durations(),
        settings=run.config_text,
    )
    write(outcome, options.report)
    _conclude(outcome, run)
    return 0 if outcome.passed else 1


def _conclude(outcome: Outcome, run: DemoRun) -> None:
    view = run.view
    view.heading("What happened")
    view.show(summary(outcome))
    view.show(Text(""))
    for line in closing_words(outcome, run):
        view.show(line)


def closing_words(outcome: Outcome, run: DemoRun) -> list[Text]:
    """Return the result and where to look next."""
    if outcome.passed:
        return [
            Text(
                f"All {len(outcome.checks)} checks passed. Report: {outcome.options.report}",
                style="bold green",
            ),
            Text(f"Everything is kept in {run.folder}; look around, for example:"),
            Text(f"  retuned why --config {run.folder / 'retuned.yaml'}"),
            Text(f"  retuned history --config {run.folder / 'retuned.yaml'}"),
        ]
    lines = [Text(f"FAILED: {outcome.problem}", style="bold red")] if outcome.problem else []
    missed = failed(outcome.checks)
    if missed:
        names = ", ".join(f"“{check.name}”" for check in missed)
        lines.append(Text(f"{len(missed)} of {len(outcome.checks)} checks failed: {names}", style="bold red"))
    return [*lines, Text(f"Logs: {run.logs}. Report: {outcome.options.report}")]
