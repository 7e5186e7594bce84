"""Durations as text."""

from datetime import timedelta


def clock_text(seconds: float) -> str:
    """Write seconds as m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def duration_text(seconds: float | None) -> str:
    """Write a duration for a table."""
    if seconds is None:
        return "-"
    return f"{seconds:.2f} s" if seconds < 10 else str(timedelta(seconds=round(seconds)))
