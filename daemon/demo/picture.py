"""Draws the state of a running demo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from daemon.demo.durations import clock_text
from daemon.demo.evidence import WindowFact
from daemon.domain.runs import RunState
from daemon.views.status import StatusView

_BARS = "▁▂▃▄▅▆▇█"
_SPARKS = 24
_BAR_WIDTH = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """The state to draw."""

    phase: str
    elapsed_s: float
    sent: int
    total: int
    lag: int | None
    overview: StatusView | None
    windows: Sequence[WindowFact]
    note: str | None = None  # what the demo waits for besides the daemon
    predicted_s: float | None = None  # of the whole demo


def render(picture: Picture) -> RenderableType:
    """Return the drawing for a terminal."""
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
        (picture.note or picture.phase, "bold cyan"),
        (f"  {_clock(picture)}", "dim"),
    )
    return Group(Text(""), title, rows)


def plain(picture: Picture) -> str:
    """Return the state in one line."""
    progress = _progress(picture.overview)
    if progress is not None:
        return f"training: {training_text(progress)}"
    if picture.note is not None:
        return picture.note
    counted = picture.overview.intake.conversations if picture.overview else 0
    if counted < picture.total:
        return f"conversations {counted}/{picture.total}, {_stream_text(picture)}; {_drift_text(picture.windows)}"
    return picture.phase


def _clock(picture: Picture) -> str:
    since = f"{clock_text(picture.elapsed_s)} since the start"
    if picture.predicted_s is None:
        return since
    return f"{since}, about {clock_text(max(0.0, picture.predicted_s - picture.elapsed_s))} left"


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
    """Return the progress of a training as text."""
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


def _progress(overview: StatusView | None) -> Mapping[str, object] | None:
    run = overview.run if overview else None
    return run.progress or {} if run is not None and run.state is RunState.RUNNING else None


def _bar(done: int, total: int) -> ProgressBar:
    return ProgressBar(total=max(1, total), completed=done, width=_BAR_WIDTH)


def _int(values: Mapping[str, object], name: str) -> int:
    value = values.get(name)
    return value if isinstance(value, int) else 0


def _float(values: Mapping[str, object], name: str) -> float | None:
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else None
