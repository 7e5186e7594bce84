"""How a panel wants its values shown: unit, mappings, thresholds, colours."""

import re
from collections.abc import Mapping
from typing import Any

from deploy.grafana.pictures import theme
from deploy.grafana.pictures.prometheus import Series
from deploy.grafana.pictures.units import worded


class Fields:
    """The field options of one panel."""

    def __init__(self, panel: Mapping[str, Any], *, now: float) -> None:
        """``now`` is the Unix time from which dates are told."""
        self._options = panel.get("options", {})
        #: Of a table, the heads of its columns, by the labels and values that they show.
        self.heads: Mapping[str, str] = {}
        for transformation in panel.get("transformations", []):
            if transformation["id"] == "organize":
                places, heads = (transformation["options"][key] for key in ("indexByName", "renameByName"))
                self.heads = {column: heads[column] for column in sorted(places, key=places.__getitem__)}
        self._defaults = panel["fieldConfig"]["defaults"]
        self._overrides = panel["fieldConfig"]["overrides"]
        self._now = now

    @property
    def none(self) -> str:
        """What the panel says without data."""
        return str(self._defaults["noValue"])

    @property
    def limits(self) -> list[tuple[float, str]]:
        """The thresholds above the first, with their colours."""
        steps = self._defaults.get("thresholds", {}).get("steps", [])
        return [
            (float(step["value"]), theme.hue(step["color"])) for step in steps if step["value"] is not None
        ]

    @property
    def most(self) -> float | None:
        """The largest value of a scale, where it is fixed."""
        most = self._defaults.get("max")
        return None if most is None else float(most)

    def option(self, name: str) -> object:
        """Return an option of the panel."""
        return self._options[name]

    def custom(self, name: str) -> Any:
        """Return an option of the panel's kind; None where it is not set."""
        return self._defaults.get("custom", {}).get(name)

    def text(self, value: float, column: str | None = None) -> str:
        """Return a value in words; ``column`` of a table may have a unit of its own."""
        mapped = self._mapped(value)
        if mapped is not None:
            return str(mapped["text"])
        unit = self._override(column, "unit") if column else None
        return worded(value, str(unit or self._defaults.get("unit", "none")), now=self._now)

    def color(self, series: Series, place: int = 0) -> str:
        """Return the colour of a series that is shown by its newest value."""
        fixed = self._override(series.name, "color")
        if fixed is not None:
            return theme.hue(fixed["fixedColor"])
        mode = self._defaults.get("color", {}).get("mode", "thresholds")
        return theme.palette(place) if mode.startswith("palette") else self.color_at(series.values[-1])

    def color_at(self, value: float) -> str:
        """Return the colour of a value, by mapping or threshold."""
        mapped = self._mapped(value)
        if mapped is not None:
            return theme.hue(mapped["color"])
        steps = self._defaults.get("thresholds", {}).get("steps", [{"value": None, "color": "text"}])
        reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
        return theme.hue(reached[-1])

    def stretch_color(self, series: Series, value: float) -> str:
        """Return the colour of a series while it has a value."""
        fixed = self._override(series.name, "color")
        return self.color_at(value) if fixed is None else theme.hue(fixed["fixedColor"])

    @property
    def in_bytes(self) -> bool:
        """Whether values are bytes, whose round numbers are powers of two."""
        return bool(self._defaults.get("unit") == "bytes")

    def dashed(self, series: Series) -> bool:
        """Return whether a line is dashed."""
        return self._override(series.name, "custom.lineStyle") is not None

    def _mapped(self, value: float) -> Mapping[str, Any] | None:
        for mapping in self._defaults.get("mappings", []):
            found: Mapping[str, Any] | None = mapping["options"].get(f"{value:g}")
            if found is not None:
                return found
        return None

    def _override(self, name: str, option: str) -> Any:
        for override in self._overrides:
            matcher = override["matcher"]
            pattern = matcher["options"] if matcher["id"] == "byRegexp" else re.escape(matcher["options"])
            if re.fullmatch(pattern, name):
                for one in override["properties"]:
                    if one["id"] == option:
                        return one["value"]
        return None
