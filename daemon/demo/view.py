"""Prints a running demo: events as lines that stay and, on a terminal, a live picture below them."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from daemon.demo.durations import clock_text
from daemon.demo.events import Event, Kind
from daemon.demo.picture import Picture, plain, render

_STYLES = {
    Kind.NEUTRAL: "",
    Kind.GOOD: "green",
    Kind.ALARM: "bold red",
    Kind.WAIT: "yellow",
    Kind.WORK: "cyan",
    Kind.BAD: "bold red",
}
_PLAIN_EVERY_S = 10.0
_INDENT = 10


class View:
    """Prints to a console. Without a terminal, a line every few seconds replaces the picture."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._started = clock()
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._plain_at = self._started
        self._last_line = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.update(Text(""))
        self._live.stop()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the demo began."""
        return self._clock() - self._started

    def heading(self, text: str) -> None:
        """Begin a part of the story."""
        self._console.print()
        self._console.rule(Text(text, style="bold"), align="left", style="dim")

    def event(self, event: Event) -> None:
        """Print something that happened, with its time."""
        line = Text.assemble((f"{clock_text(self.elapsed_s):>8}  ", "dim"), (event.text, _STYLES[event.kind]))
        self._print(line, _INDENT)
        for detail in event.details:
            self._print(Text(" " * _INDENT + "· " + detail, style="dim"), _INDENT + 2)

    def tell(self, text: str, kind: Kind = Kind.NEUTRAL) -> None:
        """Print a sentence, with its time."""
        self.event(Event(kind=kind, text=text))

    def show(self, renderable: RenderableType) -> None:
        """Print something as it is."""
        self._console.print(renderable, soft_wrap=isinstance(renderable, Text))

    def clear(self) -> None:
        """Remove the picture."""
        if self._live.is_started:
            self._live.update(Text(""), refresh=True)

    def _print(self, line: Text, indent: int) -> None:
        self._console.print(_hanging(line, indent, self._console), soft_wrap=True)

    def picture(self, picture: Picture) -> None:
        """Show the current state."""
        if self._live.is_started:
            self._live.update(render(picture), refresh=True)
            return
        line = plain(picture)
        if self._clock() - self._plain_at >= _PLAIN_EVERY_S and line != self._last_line:
            self._plain_at, self._last_line = self._clock(), line
            self._console.print(
                Text(f"{clock_text(self.elapsed_s):>8}  … {line}", style="dim"), soft_wrap=True
            )


def _hanging(line: Text, indent: int, console: Console) -> Text:
    """Wrap a long line under its beginning, not under its time."""
    prefix, rest = line[:indent], line[indent:]
    wrapped = rest.wrap(console, max(20, console.width - indent))
    return Text("\n" + " " * indent).join([Text.assemble(prefix, wrapped[0]), *wrapped[1:]])
