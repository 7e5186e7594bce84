"""Draws panels that show values over time: time series and state timelines."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, MultipleLocator, NullLocator

from deploy.grafana.pictures import theme
from deploy.grafana.pictures.canvas import Box, Canvas, shortened, width_of
from deploy.grafana.pictures.fields import Fields
from deploy.grafana.pictures.prometheus import Series, Span

_SMALL = 11
_LEGEND_ROW = 18
_MOST_LEGEND_ROWS = 2
#: Pixels between two names of a legend.
_APART = 26


class Event(NamedTuple):
    """Something that happened, or went on from ``start`` to ``end``."""

    start: float
    end: float
    color: str
    lasting: bool


def draw_course(
    canvas: Canvas,
    box: Box,
    fields: Fields,
    series: Sequence[Series],
    span: Span,
    events: Sequence[Event],
) -> None:
    """Draw a line for each series, a legend below and the events."""
    shown = [(one, fields.color(one, place)) for place, one in enumerate(series)]
    below = _legend(canvas, box, shown)
    plot = box.inside(_room_for_values(fields, series), 4, 6, below + 20)
    axes = canvas.axes(plot)
    _style(axes, span)
    stacked = fields.custom("stacking") is not None
    _lines(axes, fields, shown, stacked=stacked, gap_s=span.step_s * 5)
    _scale(axes, fields, series)
    _limits(axes, fields)
    _mark(axes, events)


def draw_states(canvas: Canvas, box: Box, fields: Fields, series: Sequence[Series], span: Span) -> None:
    """Draw a row for each series, with a bar for each time at one value."""
    names = min(max(width_of(one.name, _SMALL) for one in series) + 14, box.width * 0.4)
    axes = canvas.axes(box.inside(names, 2, 6, 20))
    _style(axes, span)
    axes.grid(visible=False)
    axes.yaxis.set_major_locator(NullLocator())
    axes.set_ylim(len(series), 0)
    height = (box.height - 22) / len(series)
    for place, one in enumerate(series):
        canvas.words(
            shortened(one.name, names - 10, _SMALL), box.x + names - 10, box.y + 2 + (place + 0.5) * height,
            size=_SMALL, align="right",
        )  # fmt: skip
        for start, end, value in _stretches(one, span):
            axes.broken_barh(
                [(start, end - start)],
                (place + 0.12, 0.76),
                color=fields.stretch_color(one, value),
                alpha=0.85,
            )


def _stretches(series: Series, span: Span) -> list[tuple[float, float, float]]:
    """Return the times, from and to, at which a series kept a value without a gap."""
    found: list[tuple[float, float, float]] = []
    for at, value in zip(series.times, series.values, strict=True):
        if found and found[-1][2] == value and at - found[-1][1] <= 2 * span.step_s:
            found[-1] = (found[-1][0], at, value)
        else:
            found.append((at, at + span.step_s, value))
    return [
        (start, min(end, following[0]), value)
        for (start, end, value), following in pairwise([*found, (span.end, span.end, 0.0)])
    ]


def _lines(
    axes: Axes, fields: Fields, shown: Sequence[tuple[Series, str]], *, stacked: bool, gap_s: float
) -> None:
    below: dict[float, float] = {}
    steps: Literal["post"] | None = "post" if fields.custom("lineInterpolation") == "stepAfter" else None
    opacity = (fields.custom("fillOpacity") or 0) / 100
    for one, color in shown:
        base = [below.get(at, 0.0) if stacked else 0.0 for at in one.times]
        tops = [value + under for value, under in zip(one.values, base, strict=True)]
        if stacked:
            below.update(zip(one.times, tops, strict=True))
        for first, last in unbroken(one.times, gap_s):
            times, values = one.times[first:last], tops[first:last]
            style = "--" if fields.dashed(one) else "-"
            axes.plot(
                times, values, style, color=color, linewidth=1.4, solid_capstyle="round",
                drawstyle="steps-post" if steps else "default", marker="." if len(times) == 1 else None,
            )  # fmt: skip
            if not fields.dashed(one) and fields.custom("scaleDistribution") is None:
                axes.fill_between(
                    times, base[first:last], values, step=steps, color=color, alpha=opacity, linewidth=0
                )


def unbroken(times: Sequence[float], gap_s: float) -> list[tuple[int, int]]:
    """Return where the stretches without a longer gap begin, and where each ends, exclusively."""
    breaks = [place for place in range(1, len(times)) if times[place] - times[place - 1] > gap_s]
    return list(pairwise([0, *breaks, len(times)]))


def _scale(axes: Axes, fields: Fields, series: Sequence[Series]) -> None:
    if fields.custom("scaleDistribution") is not None:
        axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: fields.text(value)))
    if fields.custom("scaleDistribution") is not None:
        axes.yaxis.set_major_locator(LogLocator(10, numticks=6))
        axes.yaxis.set_minor_locator(NullLocator())
        return
    whole = all(value == int(value) for one in series for value in one.values)
    least = fields.custom("axisSoftMin")
    lowest, highest = axes.get_ylim()
    if least is not None:
        lowest = min(least, min((value for one in series for value in one.values), default=least))
    if not any(value for one in series for value in one.values):
        highest = 1
    axes.set_ylim(lowest, highest)
    if fields.in_bytes:
        axes.yaxis.set_major_locator(MultipleLocator(2 ** math.ceil(math.log2((highest - lowest) / 5))))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=whole, steps=[1, 2, 2.5, 5, 10]))


def _limits(axes: Axes, fields: Fields) -> None:
    if fields.custom("thresholdsStyle") is None:
        return
    for value, color in fields.limits:
        lowest, highest = axes.get_ylim()
        highest = max(highest, value + (value - lowest) * 0.15)
        axes.set_ylim(lowest, highest)
        axes.axhline(value, color=color, linewidth=1, linestyle="--")
        axes.axhspan(value, highest, color=color, alpha=0.08, linewidth=0)


def _mark(axes: Axes, events: Sequence[Event]) -> None:
    lowest, _ = axes.get_ylim()
    for event in events:
        axes.axvline(event.start, color=event.color, linewidth=0.9, linestyle=(0, (3, 3)), alpha=0.9)
        axes.plot([event.start], [lowest], marker="^", color=event.color, markersize=5, clip_on=False)
        if event.lasting:
            axes.axvspan(event.start, event.end, color=event.color, alpha=0.1, linewidth=0)


def _style(axes: Axes, span: Span) -> None:
    axes.set_xlim(span.start, span.end)
    axes.grid(visible=True, color=theme.GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(colors=theme.FAINT, labelsize=_SMALL * 0.72, length=0, pad=4)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 3, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{datetime.fromtimestamp(at, UTC):%H:%M}"))


def _room_for_values(fields: Fields, series: Sequence[Series]) -> float:
    ends = [value for one in series for value in (min(one.values), max(one.values))]
    return max((width_of(fields.text(value), _SMALL) for value in ends), default=30) + 24


def _legend(canvas: Canvas, box: Box, shown: Sequence[tuple[Series, str]]) -> float:
    """Draw the names at the bottom; return the height that they take."""
    rows: list[list[tuple[str, str]]] = [[]]
    used = 0.0
    for one, color in shown:
        name = shortened(one.name, box.width - _APART, _SMALL)
        needed = width_of(name, _SMALL) + _APART
        if used + needed > box.width and rows[-1]:
            if len(rows) == _MOST_LEGEND_ROWS:
                break
            rows.append([])
            used = 0.0
        rows[-1].append((name, color))
        used += needed
    height = len(rows) * _LEGEND_ROW
    for number, row in enumerate(rows):
        x, y = box.x + 4, box.y + box.height - height + (number + 0.5) * _LEGEND_ROW
        for name, color in row:
            canvas.box(Box(x, y - 1.5, 12, 3), color, round_px=1)
            canvas.words(name, x + 17, y, size=_SMALL)
            x += width_of(name, _SMALL) + _APART
    return height
