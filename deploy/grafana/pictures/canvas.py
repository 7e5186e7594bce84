"""A picture in pixels, from the upper left corner: boxes, words, and axes for curves."""

import io
from functools import cache
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, Rectangle, Wedge
from matplotlib.textpath import TextToPath
from PIL import Image

from deploy.grafana.pictures import theme

_DPI = 100
#: Of the picture, whose file is a third as large for it.
_COLORS = 256
_MEASURE = TextToPath()


class Box(NamedTuple):
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    def inside(self, left: float, top: float, right: float, bottom: float) -> "Box":
        """Return what is left within margins."""
        return Box(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)


class Canvas:
    """What is drawn on."""

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=theme.CANVAS)
        self._plane = self._figure.add_axes((0, 0, 1, 1))
        self._plane.set_xlim(0, width)
        self._plane.set_ylim(height, 0)
        self._plane.axis("off")

    def box(
        self, box: Box, color: str, *, edge: str | None = None, round_px: float = 0, alpha: float = 1
    ) -> None:
        """Fill a box."""
        shape = (
            FancyBboxPatch(
                (box.x + round_px, box.y + round_px), box.width - 2 * round_px, box.height - 2 * round_px,
                boxstyle=f"round,pad={round_px}", facecolor=color, edgecolor=edge or "none", linewidth=0.8,
            )
            if round_px
            else Rectangle((box.x, box.y), box.width, box.height, facecolor=color, edgecolor=edge or "none")
        )  # fmt: skip
        shape.set_alpha(alpha)
        self._plane.add_patch(shape)

    def words(
        self,
        text: str,
        x: float,
        y: float,
        *,
        size: float,
        color: str = theme.TEXT,
        align: str = "left",
        bold: bool = False,
    ) -> None:
        """Write text of a height in pixels, with its middle at ``y``."""
        weight = "bold" if bold else "normal"
        self._plane.text(
            x, y, text.replace("$", r"\$"), fontsize=size * 72 / _DPI, color=color, ha=align, va="center_baseline",
            weight=weight,
        )  # fmt: skip

    def arc(self, x: float, y: float, radius: float, share: float, color: str) -> None:
        """Draw a share of the arc of a gauge, which is open at the bottom."""
        start = 150
        ring = Wedge(
            (x, y), radius, start, start + 240 * share, width=radius * 0.28, facecolor=color, edgecolor="none"
        )
        self._plane.add_patch(ring)

    def axes(self, box: Box) -> Axes:
        """Return axes that fill a box."""
        width, height = self._size
        made = self._figure.add_axes(
            (box.x / width, 1 - (box.y + box.height) / height, box.width / width, box.height / height)
        )
        made.patch.set_alpha(0)
        return made

    def png(self) -> bytes:
        """Return the picture."""
        raw = io.BytesIO()
        FigureCanvasAgg(self._figure).print_png(raw)  # type: ignore[no-untyped-call]
        raw.seek(0)
        with Image.open(raw) as picture:
            small = picture.convert("RGB").quantize(_COLORS, dither=Image.Dither.NONE)
        packed = io.BytesIO()
        small.save(packed, "PNG", optimize=True)
        return packed.getvalue()


@cache
def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a text of a height is."""
    font = FontProperties(weight="bold" if bold else "normal", size=size)
    width, _, _ = _MEASURE.get_text_width_height_descent(text, font, ismath=False)
    return float(width)


def fitted(text: str, width: float, *, most: float, least: float = 9, bold: bool = False) -> float:
    """Return the largest size, up to ``most``, at which a text fits into a width."""
    return max(least, min(most, most * width / max(1.0, width_of(text, most, bold=bold))))


def shortened(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """Return a text that fits into a width, with an ellipsis where it is cut."""
    if width_of(text, size, bold=bold) <= width:
        return text
    letters = len(text)
    while letters > 1 and width_of(text[:letters] + "…", size, bold=bold) > width:
        letters -= 1
    return text[:letters] + "…"
