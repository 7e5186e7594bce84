"""Figures and findings as people read them."""

from collections.abc import Iterable
from datetime import datetime

from rich.text import Text

from registry.types import OffsetRange

#: One colour for one meaning, wherever it is shown.
_STYLES = {
    "drift": "bold red",
    "stable": "green",
    "inconclusive": "yellow",
    "promote": "green",
    "reject": "red",
    "train": "bold cyan",
    "wait": "yellow",
    "none": "dim",
    "ignore": "green",
    "cant_help": "yellow",
    "unclear": "yellow",
    "finished": "green",
    "failed": "bold red",
    "cancelled": "yellow",
    "running": "cyan",
    "live": "bold green",
    "candidate": "cyan",
    "tainted": "bold red",
}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def coloured(word: str) -> Text:
    """Return a finding, verdict or state in its colour."""
    return Text(word, style=_STYLES.get(word, ""))


def moment(at: datetime) -> str:
    """Return a time to the second, UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def ago(now: datetime, at: datetime) -> str:
    """Return how long ago something was."""
    return f"{lasting(max(0.0, (now - at).total_seconds()))} ago"


def lasting(seconds: float) -> str:
    """Return a duration in the two units that matter."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days {hours % 24} h"


def bytes_(count: int) -> str:
    """Return a size in binary units."""
    size, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"


def counted(count: int, thing: str) -> str:
    """Return a number of things."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def printable(text: str) -> str:
    """Return a text from outside without characters that would steer the terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def source_lines(sources: Iterable[OffsetRange]) -> list[str]:
    """Sum up offset ranges by partition; held-out conversations leave many holes."""
    by_partition: dict[tuple[str, int], list[OffsetRange]] = {}
    for found in sources:
        by_partition.setdefault((found.topic, found.partition), []).append(found)
    return [
        f"{topic}/{partition}: {sum(r.last - r.first + 1 for r in ranges)} records within offsets "
        f"{min(r.first for r in ranges)} to {max(r.last for r in ranges)}"
        for (topic, partition), ranges in sorted(by_partition.items())
    ]


def figure(value: float | None) -> str:
    """Return a score to four digits."""
    return "?" if value is None else f"{value:.4g}"
