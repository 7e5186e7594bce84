"""Shows how a ledger is moved to another database."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from daemon.cli.render.formatting import counted, duration
from daemon.cli.render.layout import facts

if TYPE_CHECKING:
    from daemon.backup.migrate import MigrationReport, SettingToShare
    from daemon.ledger.copying import CopyProgress

_LINE_EVERY_S = 10.0

_REMARKS = {
    "holdout.key_file": "the same key for every replica, in a place that each can read",
    "artifacts_url": "a store that every replica reaches, with what is in this one",
    "target_dir": "the folder that your model server reads",
}


@contextmanager
def watching(*, quiet: bool) -> "Iterator[Callable[[CopyProgress], None]]":
    """Give what shows progress and the time left on stderr: a bar on a terminal, else a line every ten seconds."""
    if quiet:
        yield lambda _: None
    elif not sys.stderr.isatty():
        yield _Lines(time.monotonic)
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("reading", total=None)
            yield lambda seen: bar.update(
                task, description=f"{seen.phase} {seen.table}", completed=seen.done, total=seen.total
            )


class _Lines:
    """Prints how far a copy has come, every ten seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` is monotonic, in seconds."""
        self._clock = clock
        self._started = self._printed = clock()

    def __call__(self, seen: "CopyProgress") -> None:
        now = self._clock()
        if now - self._printed < _LINE_EVERY_S or not seen.done:
            return
        self._printed = now
        left = (now - self._started) * (seen.total - seen.done) / seen.done
        share = 100 * seen.done / seen.total
        sys.stderr.write(f"{seen.phase} {seen.table}: {share:.0f}% of all, about {duration(left)} left\n")


def migration_screen(report: "MigrationReport") -> RenderableType:
    """Show what was copied, and what is left to do."""
    copied = (
        f"Copied {counted(report.rows, 'row')} of {counted(len(report.tables), 'table')} from {report.source} to "
        f"{report.target}. Number and digest of the rows are the same on both sides."
    )
    return Group(
        copied,
        "",
        "Set for the daemon, and alike for every replica:",
        facts((setting.name, _value(setting)) for setting in report.settings),
        "",
        f"Then start `retuned run`, and move {report.source} away: it stays as it was, and no daemon should go on with it.",
    )


def _value(setting: "SettingToShare") -> str:
    remark = _REMARKS.get(setting.name)
    if remark is None:
        return setting.value
    return f"{setting.value} now: {remark}" if not setting.is_set else f"{setting.value}: {remark}"
