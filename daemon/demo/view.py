"""Shows a running demo: events as lines that stay, and below them, on a terminal, where everything stands."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from daemon.demo.evidence import WindowFact
from daemon.demo.timeline import Event, Kind
from daemon.domain.runs import RunState
from daemon.views.status import Overview

_STYLES = {
    Kind.NEUTRAL: "",
    Kind.GOOD: "green",
    Kind.ALARM: "bold red",
    Kind.WAIT: "yellow",
    Kind.WORK: "cyan",
    Kind.BAD: "bold red",
}
_BARS = "▁▂▃▄▅▆▇█"
_SPARKS = 24
_PLAIN_EVERY_S = 10.0
_BAR_WIDTH = 30
_INDENT = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What the lower part shows."""

    phase: str
    elapsed_s: float
    sent: int
    total: int
    lag: int | None
    overview: Overview | None
    windows: Sequence[WindowFact]


class View:
    """Prints to a console. Where that is no terminal, the picture becomes a line every few seconds."""

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
        """Take the picture away: what follows has its own words."""
        if self._live.is_started:
            self._live.update(Text(""), refresh=True)

    def _print(self, line: Text, indent: int) -> None:
        self._console.print(_hanging(line, indent, self._console), soft_wrap=True)

    def picture(self, picture: Picture) -> None:
        """Show where everything stands."""
        if self._live.is_started:
            self._live.update(render(picture), refresh=True)
            return
        line = plain(picture)
        if self._clock() - self._plain_at >= _PLAIN_EVERY_S and line != self._last_line:
            self._plain_at, self._last_line = self._clock(), line
            self._console.print(
                Text(f"{clock_text(self.elapsed_s):>8}  … {line}", style="dim"), soft_wrap=True
            )


def render(picture: Picture) -> RenderableType:
    """Draw the lower part for a terminal."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(no_wrap=True, width=_BAR_WIDTH)
    rows.add_column()
    counted = picture.overview.intake.conversations if picture.overview else 0
    rows.add_row("conversations", _bar(counted, picture.total), _stream_text(picture))
    rows.add_row("drift", sparkline(picture.windows), _drift_text(picture.windows))
    if (progress := _progress(picture.overview)) is not None:
        rows.add_row(
            "training",
            _bar(_int(progress, "step"), max(1, _int(progress, "steps"))),
            training_text(progress),
        )
    title = Text.assemble(
        (picture.phase, "bold cyan"), (f"  {clock_text(picture.elapsed_s)} since the start", "dim")
    )
    return Group(Text(""), title, rows)


def plain(picture: Picture) -> str:
    """Say the same in one line."""
    progress = _progress(picture.overview)
    if progress is not None:
        return f"training: {training_text(progress)}"
    counted = picture.overview.intake.conversations if picture.overview else 0
    if counted < picture.total:
        return f"conversations {counted}/{picture.total}, {_stream_text(picture)}; {_drift_text(picture.windows)}"
    return picture.phase


def sparkline(windows: Sequence[WindowFact]) -> Text:
    """Draw the drift scores of the last windows, each as a share of its threshold; drift is red."""
    levels = [(w, w.score / w.threshold) for w in windows if w.score is not None and w.threshold][-_SPARKS:]
    top = max(1.0, *(level for _, level in levels), 1.0)
    text = Text()
    for window, level in levels:
        bar = _BARS[min(len(_BARS) - 1, max(0, int(level / top * len(_BARS))))]
        text.append(bar, style="bold red" if window.finding == "drift" else "green")
    return text


def training_text(progress: Mapping[str, object]) -> str:
    """Say how far a training is."""
    step, steps = _int(progress, "step"), _int(progress, "steps")
    if not step:
        return str(progress.get("phase", "starting"))
    parts = [f"step {step}/{steps}"]
    if (loss := _float(progress, "loss")) is not None:
        parts.append(f"loss {loss:.3f}")
    if (speed := _float(progress, "tokens_per_s")) is not None:
        parts.append(f"{speed:.0f} tokens/s")
    if (left := _float(progress, "seconds_left")) is not None:
        parts.append(f"{clock_text(left)} left")
    return ", ".join(parts)


def clock_text(seconds: float) -> str:
    """Write seconds as m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def duration_text(seconds: float | None) -> str:
    """Write a duration for a table."""
    if seconds is None:
        return "-"
    return f"{seconds:.2f} s" if seconds < 10 else str(timedelta(seconds=round(seconds)))


def _stream_text(picture: Picture) -> str:
    counted = picture.overview.intake.conversations if picture.overview else 0
    lag = "?" if picture.lag is None else picture.lag
    return f"{counted} consumed, {picture.sent} sent, lag {lag}"


def _drift_text(windows: Sequence[WindowFact]) -> str:
    if not windows:
        return "no window judged yet"
    last = windows[-1]
    if last.score is None or last.threshold is None:
        return f"{len(windows)} windows judged, the last {last.finding}"
    return f"{len(windows)} windows judged, score {last.score:.2f}, drift from {last.threshold:.2f}"


def _progress(overview: Overview | None) -> Mapping[str, object] | None:
    run = overview.run if overview else None
    return run.progress or {} if run is not None and run.state is RunState.RUNNING else None


def _bar(done: int, total: int) -> ProgressBar:
    return ProgressBar(total=max(1, total), completed=done, width=_BAR_WIDTH)


def _hanging(line: Text, indent: int, console: Console) -> Text:
    """Wrap a long line under its beginning, not under its time."""
    prefix, rest = line[:indent], line[indent:]
    wrapped = rest.wrap(console, max(20, console.width - indent))
    return Text("\n" + " " * indent).join([Text.assemble(prefix, wrapped[0]), *wrapped[1:]])


def _int(values: Mapping[str, object], name: str) -> int:
    value = values.get(name)
    return value if isinstance(value, int) else 0


def _float(values: Mapping[str, object], name: str) -> float | None:
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else None
