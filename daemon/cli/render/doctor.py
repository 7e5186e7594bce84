"""The doctor's screen: what is well, what is not, and how to mend it."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from daemon.cli.doctor.check import Check


def checkup_screen(checks: Sequence[Check]) -> RenderableType:
    """Show every check, and a remedy below each that isn't well."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark = Text("ok", "green") if check.ok else Text("problem", "bold red")
        table.add_row(mark, check.subject, check.found)
        if check.remedy:
            table.add_row("", "", Text(f"to mend it: {check.remedy}", "yellow"))
    ill = sum(not check.ok for check in checks)
    table.add_row()
    table.add_row("", "", f"{ill} of {len(checks)} checks found a problem" if ill else "everything is well")
    return table
