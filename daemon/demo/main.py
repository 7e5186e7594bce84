"""Runs a demo and reports whether every check passed."""

from datetime import datetime

from rich.console import Console
from rich.text import Text

from daemon.demo.checks import check_all, failed
from daemon.demo.events import Kind
from daemon.demo.options import DemoOptions
from daemon.demo.regimes import choose
from daemon.demo.report import Outcome, write
from daemon.demo.story import Story
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
    change = choose(options, now=started_at)
    story = Story(options, change, view, folder=make_workdir(options.workdir))
    try:
        with view:
            story.run()
    except KeyboardInterrupt:
        story.forget()
        view.tell("interrupted; everything was stopped", Kind.BAD)
        return _INTERRUPTED
    except (DaemonError, LearnerError, RegistryError) as error:
        problem = str(error)
    outcome = _outcome(story, started_at, problem)
    write(outcome, options.report)
    _conclude(outcome, story, view)
    return 0 if outcome.passed else 1


def _outcome(story: Story, started_at: datetime, problem: str | None) -> Outcome:
    margin = story.settings.gate.margin if story.settings else 0.0
    return Outcome(
        started_at=started_at,
        options=story.options,
        change=story.change,
        findings=story.findings,
        checks=check_all(story.findings, margin=margin),
        problem=problem,
        seconds=story.durations(),
        settings=story.config_text,
    )


def _conclude(outcome: Outcome, story: Story, view: View) -> None:
    view.heading("What happened")
    view.show(summary(outcome))
    view.show(Text(""))
    for line in closing_words(outcome, story):
        view.show(line)


def closing_words(outcome: Outcome, story: Story) -> list[Text]:
    """Return the result and where to look next."""
    if outcome.passed:
        return [
            Text(
                f"All {len(outcome.checks)} checks passed. Report: {outcome.options.report}",
                style="bold green",
            ),
            Text(f"Everything is kept in {story.folder}; look around, for example:"),
            Text(f"  retuned why --config {story.folder / 'retuned.yaml'}"),
            Text(f"  retuned history --config {story.folder / 'retuned.yaml'}"),
        ]
    lines = [Text(f"FAILED: {outcome.problem}", style="bold red")] if outcome.problem else []
    missed = failed(outcome.checks)
    if missed:
        names = ", ".join(f"“{check.name}”" for check in missed)
        lines.append(Text(f"{len(missed)} of {len(outcome.checks)} checks failed: {names}", style="bold red"))
    return [*lines, Text(f"Logs: {story.logs}. Report: {outcome.options.report}")]
