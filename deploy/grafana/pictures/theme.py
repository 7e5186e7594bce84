"""Grafana's dark theme: the colours of surfaces, of the classic palette and of named hues."""

from collections.abc import Mapping

CANVAS = "#111217"
PANEL = "#181b1f"
BORDER = "#2a2c33"
GRID = "#26282e"
TRACK = "#22252b"  # what is not filled of a bar or a gauge
TEXT = "#ccccdc"
FAINT = "#8e8f9a"
LINK = "#6e9fff"

_HUES: Mapping[str, str] = {
    "green": "#73bf69",
    "yellow": "#fade2a",
    "orange": "#ff9830",
    "red": "#f2495c",
    "blue": "#5794f2",
    "purple": "#b877d9",
    "text": TEXT,
}
#: "palette-classic", by the place of a series.
_CLASSIC = (
    "#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a",
    "#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62", "#584477", "#b7dbab", "#f4d598", "#70dbed", "#f9ba8f",
)  # fmt: skip


def hue(name: str) -> str:
    """Return the colour that Grafana gives a name."""
    return _HUES[name]


def palette(place: int) -> str:
    """Return the colour of the series at a place."""
    return _CLASSIC[place % len(_CLASSIC)]


def on(background: str) -> str:
    """Return the colour of text that can be read on a background."""
    red, green, blue = (int(background[place : place + 2], 16) for place in (1, 3, 5))
    return "#111217" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"
