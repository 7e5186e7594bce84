"""The doctor's screen: what passed, what failed, and the remedy."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from daemon.cli.doctor.check import Check
from daemon.cli.render.formatting import printable

_SHOWN_LINES, _SHOWN_CHARACTERS = 40, 3_000


def checkup_screen(checks: Sequence[Check]) -> RenderableType:
    """Say how many checks failed, then show those with their remedies, then the others."""
    failures = [check for check in checks if not check.ok]
    summary = (
        Text(f"{len(failures)} of {len(checks)} checks failed.", style="bold red")
        if failures
        else Text(f"All {len(checks)} checks passed.", style="bold green")
    )
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in sorted(checks, key=lambda check: check.ok):
        mark = Text("passed", "green") if check.ok else Text("FAILED", "bold red")
        for line in _lines(check):
            table.add_row(mark, line)
            mark = Text()
    return Group(summary, "", table)


def _lines(check: Check) -> Iterator[Text]:
    yield Text.assemble((f"{check.subject}: ", "bold"), check.found)
    if check.remedy:
        yield Text(f"remedy: {check.remedy}", "yellow")
    if check.example:
        yield Text("the newest that is learned, what is learned between ⟦ and ⟧:", "dim")
        yield from map(Text, _shown(check.example))


def _shown(example: str) -> Iterator[str]:
    """Return the first lines of an example without control characters."""
    lines = example[:_SHOWN_CHARACTERS].splitlines()
    yield from map(printable, lines[:_SHOWN_LINES])
    if len(lines) > _SHOWN_LINES or len(example) > _SHOWN_CHARACTERS:
        yield "… (--json has all of it)"
