"""Values in the words of Grafana's units, as far as the dashboards use them."""

from collections.abc import Sequence

_SECONDS = (
    (31_536_000, "years"),
    (604_800, "weeks"),
    (86_400, "days"),
    (3_600, "hours"),
    (60, "mins"),
    (1, "s"),
)
_SMALL_SECONDS = ((1e-3, "ms"), (1e-6, "µs"))
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
_SHORT = ("", " K", " Mil", " Bil")
_AGO = ((31_536_000, "year"), (2_592_000, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute"))


def worded(value: float, unit: str, *, now: float) -> str:
    """Return a value in its unit; ``now`` is the Unix time from which a date is told."""
    kind, _, suffix = unit.partition(":")
    if kind == "suffix":
        return f"{_number(value)} {suffix}"
    match unit:
        case "s":
            return _duration(value)
        case "bytes":
            return _scaled(value, 1_024, _BINARY, " ")
        case "percentunit":
            return f"{_number(value * 100)}%"
        case "cpm":
            return f"{_scaled(value, 1_000, _SHORT)} c/m"
        case "bool_yes_no":
            return "Yes" if value else "No"
        case "dateTimeFromNow":
            return _ago(now - value / 1_000)
        case _:
            return _scaled(value, 1_000, _SHORT)


def _number(value: float) -> str:
    """Return a number with as many decimals as its size deserves."""
    size = abs(value)
    whole = abs(value - round(value)) < 1e-6
    decimals = 0 if size >= 100 or whole else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def _scaled(value: float, base: int, names: Sequence[str], space: str = "") -> str:
    place = 0
    while abs(value) >= base and place < len(names) - 1:
        value /= base
        place += 1
    return f"{_number(value)}{space}{names[place]}"


def _duration(seconds: float) -> str:
    if seconds == 0:
        return "0 s"
    for size, name in (*_SECONDS, *_SMALL_SECONDS):
        if abs(seconds) >= size:
            count = _number(seconds / size)
            return f"{count} {name.removesuffix('s') if count == '1' and size > 1 else name}"
    return f"{seconds:.0e} s"


def _ago(seconds: float) -> str:
    for size, name in _AGO:
        if (count := round(seconds / size)) >= 1:
            return f"{'an' if name == 'hour' else 'a'} {name} ago" if count == 1 else f"{count} {name}s ago"
    return "a few seconds ago"
