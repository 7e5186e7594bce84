"""Draws a dashboard as Grafana lays it out, from what its own queries give: a picture for people who have no Grafana."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from deploy.grafana.pictures import theme
from deploy.grafana.pictures.canvas import Box, Canvas, shortened, width_of
from deploy.grafana.pictures.curves import Event, draw_course, draw_states, unbroken
from deploy.grafana.pictures.fields import Fields
from deploy.grafana.pictures.figures import draw_bars, draw_gauge, draw_stat, draw_table
from deploy.grafana.pictures.prometheus import Prometheus, Series, Span

WIDTH = 1240
_HEADER = 92
_MARGIN = 8
_COLUMNS = 24
_UNIT = 38  # height of one unit of the grid, with the space below
_TITLE = 28

_Draw: TypeAlias = Callable[[Canvas, Box, Fields, Sequence[Series]], None]
_NEWEST: Mapping[str, _Draw] = {
    "stat": draw_stat,
    "gauge": draw_gauge,
    "bargauge": draw_bars,
    "table": draw_table,
}


def draw(board: Mapping[str, Any], prometheus: Prometheus, span: Span) -> bytes:
    """Return a PNG of a dashboard at the end of a time."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    canvas = Canvas(WIDTH, _HEADER + rows * _UNIT + _MARGIN)
    _header(canvas, board)
    events = _events(board, prometheus, span)
    for panel in board["panels"]:
        box = _place(panel["gridPos"])
        if panel["type"] == "row":
            canvas.words(f"⌄  {panel['title']}", box.x + 6, box.y + box.height / 2, size=15)
        else:
            _panel(canvas, box, panel, prometheus, span, events)
    return canvas.png()


def _panel(
    canvas: Canvas,
    box: Box,
    panel: Mapping[str, Any],
    prometheus: Prometheus,
    span: Span,
    events: Sequence[Event],
) -> None:
    canvas.box(box, theme.PANEL, edge=theme.BORDER, round_px=2)
    title = shortened(panel["title"], box.width - 16, 13, bold=True)
    canvas.words(title, box.x + 10, box.y + _TITLE / 2 + 1, size=13, bold=True)
    inner = box.inside(8, _TITLE, 8, 8)
    fields = Fields(panel, now=span.end)
    series = [one for target in panel["targets"] for one in prometheus.ask(target, span)]
    if not series:
        middle = inner.y + inner.height / 2 - _TITLE / 4
        canvas.words(
            fields.none, inner.x + inner.width / 2, middle, size=14, color=theme.FAINT, align="center"
        )
    elif panel["type"] == "timeseries":
        draw_course(canvas, inner, fields, series, span, events)
    elif panel["type"] == "state-timeline":
        draw_states(canvas, inner, fields, series, span)
    else:
        _NEWEST[panel["type"]](canvas, inner, fields, series)


def _place(grid: Mapping[str, int]) -> Box:
    """Return the pixels of a place in the grid."""
    column = (WIDTH - _MARGIN) / _COLUMNS
    return Box(
        _MARGIN + grid["x"] * column,
        _HEADER + grid["y"] * _UNIT,
        grid["w"] * column - _MARGIN,
        grid["h"] * _UNIT - _MARGIN,
    )


def _events(board: Mapping[str, Any], prometheus: Prometheus, span: Span) -> list[Event]:
    """Return the annotations; a run is a region, all others are moments."""
    found: list[Event] = []
    for each in board["annotations"]["list"]:
        color, lasting = theme.hue(each["iconColor"]), each["name"] == "Runs"
        for series in prometheus.ask({"expr": each["expr"], "legendFormat": each["name"]}, span):
            found += [
                Event(series.times[first], series.times[end - 1], color, lasting)
                for first, end in unbroken(series.times, 2 * span.step_s)
            ]
    return found


def _header(canvas: Canvas, board: Mapping[str, Any]) -> None:
    canvas.box(Box(0, 0, WIDTH, 44), theme.PANEL)
    canvas.words("Dashboards  ›", 16, 22, size=14, color=theme.FAINT)
    canvas.words(board["title"], 120, 22, size=14, bold=True)
    x = WIDTH - 16.0
    for link in reversed([link["title"] for link in board["links"] if link["type"] == "link"]):
        canvas.words(f"{link}  ↗", x, 22, size=13, color=theme.LINK, align="right")
        x -= width_of(link, 13) + 52
    x = 8.0
    shown = {"datasource": "Prometheus", "model_line": "All", "instance": "All"}
    for variable in board["templating"]["list"]:
        if "label" not in variable:  # it is hidden
            continue
        label, value = variable["label"], shown.get(variable["name"], str(variable["query"]))
        first, second = width_of(label, 13) + 16, width_of(value, 13) + 30
        canvas.box(Box(x, 53, first, 30), theme.TRACK, round_px=2)
        canvas.words(label, x + 8, 68, size=13)
        canvas.box(Box(x + first, 53, second, 30), theme.CANVAS, edge=theme.BORDER, round_px=2)
        canvas.words(value, x + first + 8, 68, size=13)
        x += first + second + 10
