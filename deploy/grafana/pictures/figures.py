"""Draws panels that show newest values: stat, gauge, bar gauge, table."""

from collections.abc import Sequence

from deploy.grafana.pictures import theme
from deploy.grafana.pictures.canvas import Box, Canvas, fitted, shortened, width_of
from deploy.grafana.pictures.fields import Fields
from deploy.grafana.pictures.prometheus import Series

_NAME = 12
_GAP = 4


def draw_stat(canvas: Canvas, box: Box, fields: Fields, series: Sequence[Series]) -> None:
    """Draw a tile for each series."""
    solid, mode = fields.option("colorMode") == "background_solid", fields.option("textMode")
    width = (box.width - _GAP * (len(series) - 1)) / len(series)
    for place, one in enumerate(series):
        tile = Box(box.x + place * (width + _GAP), box.y, width, box.height)
        color = fields.color(one)
        if solid:
            canvas.box(tile, color, round_px=2)
        if fields.option("graphMode") == "area":
            _sparkline(canvas, tile, one, color)
        ink = theme.on(color) if solid else color
        name, value = one.name, fields.text(one.values[-1])
        if mode == "name":
            value, name = name, ""
        elif mode == "auto" and len(series) == 1:
            name = ""
        _tile(canvas, tile, value, name, ink)


def _tile(canvas: Canvas, tile: Box, value: str, name: str, ink: str) -> None:
    room, middle = tile.width - 16, tile.x + tile.width / 2
    size = fitted(value, room, most=min(34, tile.height * 0.5), least=10, bold=True)
    if not name:
        canvas.words(value, middle, tile.y + tile.height / 2, size=size, color=ink, align="center", bold=True)
        return
    label = fitted(name, room, most=15, least=10)
    above, below = tile.y + tile.height * 0.3, tile.y + tile.height * 0.68
    canvas.words(shortened(name, room, label), middle, above, size=label, color=ink, align="center")
    canvas.words(value, middle, below, size=min(size, 26), color=ink, align="center", bold=True)


def _sparkline(canvas: Canvas, tile: Box, series: Series, color: str) -> None:
    axes = canvas.axes(Box(tile.x, tile.y + tile.height * 0.55, tile.width, tile.height * 0.45))
    axes.axis("off")
    axes.fill_between(
        series.times, series.values, min(0, *series.values), color=color, alpha=0.18, linewidth=0
    )
    axes.plot(series.times, series.values, color=color, linewidth=1)
    axes.margins(x=0, y=0.05)


def draw_gauge(canvas: Canvas, box: Box, fields: Fields, series: Sequence[Series]) -> None:
    """Draw an arc for each series."""
    width = box.width / len(series)
    for place, one in enumerate(series):
        middle, value = box.x + width * (place + 0.5), one.values[-1]
        radius = min(width / 2 - 8, box.height * 0.62)
        base = box.y + radius + 2
        canvas.arc(middle, base, radius, 1, theme.TRACK)
        canvas.arc(middle, base, radius, min(1, value / (fields.most or 1)), fields.color(one))
        canvas.words(
            fields.text(value),
            middle,
            base - 2,
            size=radius * 0.42,
            color=fields.color(one),
            align="center",
            bold=True,
        )


def draw_bars(canvas: Canvas, box: Box, fields: Fields, series: Sequence[Series]) -> None:
    """Draw a bar for each series."""
    height = min(34, box.height / len(series))
    longest = max(width_of(one.name, _NAME) for one in series)
    names = min(longest + 10, box.width * 0.45)
    values = max(width_of(fields.text(one.values[-1]), 15) for one in series) + 12
    most = fields.most or max(1e-12, *(one.values[-1] for one in series))
    for place, one in enumerate(series):
        top, value = box.y + place * height, one.values[-1]
        color, middle = fields.color(one), top + height / 2
        name = shortened(one.name, names - 8, _NAME)
        canvas.words(name, box.x + names - 10, middle, size=_NAME, align="right")
        track = Box(box.x + names, top + height * 0.14, box.width - names - values, height * 0.72)
        canvas.box(track, theme.TRACK, round_px=2)
        if value > 0:
            filled = max(4.0, track.width * min(1, value / most))
            canvas.box(track._replace(width=filled), color, round_px=2, alpha=0.85)
        canvas.words(fields.text(value), box.x + box.width, middle, size=15, color=color, align="right")


def draw_table(canvas: Canvas, box: Box, fields: Fields, series: Sequence[Series]) -> None:
    """Draw a row for each instance; each query is a column, named by its legend."""
    rows: dict[str, dict[str, str]] = {}
    for one in series:
        row = rows.setdefault(one.labels["instance"], {})
        row[one.name] = fields.text(one.values[-1], one.name)
        row |= {head: one.labels[label] for label, head in fields.heads.items() if label in one.labels}
    width = box.width / len(fields.heads)
    for place, head in enumerate(fields.heads.values()):
        x = box.x + 8 + place * width
        canvas.words(head, x, box.y + 12, size=_NAME, color=theme.LINK)
        for number, (_, row) in enumerate(sorted(rows.items())):
            canvas.words(row.get(head, ""), x, box.y + 40 + number * 28, size=_NAME + 1)
    for number in range(len(rows)):
        canvas.box(Box(box.x, box.y + 26 + number * 28, box.width, 1), theme.GRID)
