"""Lays facts out so that they fit a terminal of 80 columns."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

#: How wide a label may be before it is cut.
_LABEL = 20


def facts(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """Show one fact a line after its label; an empty label goes on with the one above."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, fact in rows:
        table.add_row(cut(label, _LABEL), fact)
    return table


def listed(*columns: str, right: Sequence[str] = ()) -> Table:
    """Return an empty table for a list of short values."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def indented(content: RenderableType, by: int = 2) -> Padding:
    """Move content to the right; its further lines keep the indentation."""
    return Padding(content, (0, 0, 0, by))


def heading(text: str) -> Text:
    """Return a section's title, set off by an empty line."""
    return Text(f"\n{text}", style="bold")


def cut(text: str, cells: int) -> str:
    """Cut a text to a width in terminal cells, of which Chinese characters take two, with an ellipsis."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1).rstrip() + "…"
