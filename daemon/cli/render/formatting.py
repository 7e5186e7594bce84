"""Formats numbers, times and states for people."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from rich.text import Text

from daemon.domain.left_out import left_out_words
from daemon.domain.lessons import LessonKind
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
    "rolled_back": "red",
    "rejected": "red",
}
#: States whose stored name is no English.
_WORDS = {"cant_help": "training can't help", "rolled_back": "rolled back"}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def coloured(word: str) -> Text:
    """Return a finding, a verdict or a state in its colour."""
    return Text(_WORDS.get(word, word), style=_STYLES.get(word, ""))


def timestamp(at: datetime) -> str:
    """Return a time to the second, UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def ago(now: datetime, at: datetime) -> str:
    """Return how long ago something was."""
    return f"{duration(max(0.0, (now - at).total_seconds()))} ago"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units; the second is left out where it is 0."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {left} s" if left else "")
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    days, hours = divmod(hours, 24)
    return f"{days} days" + (f" {hours} h" if hours else "")


#: What a lesson of each kind is, for people.
_LESSONS: Mapping[str, str] = {
    LessonKind.LIKED: "liked answer",
    LessonKind.TEACHER: "teacher's answer",
    LessonKind.DISLIKED: "disliked answer",
    "replay": "replayed answer",
}


def size(count: int) -> str:
    """Return a number of bytes in binary units."""
    value, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


def counted(count: int, thing: str) -> str:
    """Return a number of things."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def printable(text: str) -> str:
    """Return a text from outside without control characters."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def source_lines(sources: Iterable[OffsetRange]) -> list[str]:
    """Summarise offset ranges by partition; held-out conversations leave many gaps."""
    by_partition: dict[tuple[str, int], list[OffsetRange]] = {}
    for found in sources:
        by_partition.setdefault((found.topic, found.partition), []).append(found)
    return [
        f"{topic}/{partition}: {sum(r.last - r.first + 1 for r in ranges)} records within offsets "
        f"{min(r.first for r in ranges)} to {max(r.last for r in ranges)}"
        for (topic, partition), ranges in sorted(by_partition.items())
    ]


def lesson_words(lessons: Mapping[str, int] | Mapping[LessonKind, int]) -> str:
    """Say how many lessons of each kind there are."""
    return ", ".join(counted(count, _LESSONS.get(kind, kind)) for kind, count in lessons.items())


def left_out_lines(
    curation: Mapping[str, int], encoder: Mapping[str, int], answers: Mapping[str, int]
) -> list[str]:
    """Say what a run left out: new conversations that curation did not take, conversations and answers not learned."""
    lines = []
    if curation:
        lines.append(f"left out: {left_out_words(curation)}")
    if encoder:
        lines.append(f"could not be learned: {left_out_words(encoder)}")
    if answers:
        lines.append(f"answers of other conversations that could not be learned: {left_out_words(answers)}")
    return lines


def number(value: float | None) -> str:
    """Return a number to four significant digits."""
    return "?" if value is None else f"{value:.4g}"
