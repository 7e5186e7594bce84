"""What is wrong in the settings, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from daemon.domain.errors import DaemonError


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """One mistake in the settings."""

    path: str  # such as policy.cooldown_s; "" for the file as a whole
    problem: str
    source: str  # such as retuned.yaml:12, or an environment variable

    def __str__(self) -> str:
        return f"{self.source}: {self.path + ': ' if self.path else ''}{self.problem}"


class SettingsError(DaemonError):
    """The settings are invalid. ``mistakes`` holds every mistake."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


class SeveralLines(DaemonError):
    """The settings have several model lines, and nothing says which of them is meant."""

    def __init__(self, path: Path, lines: Iterable[str]) -> None:
        super().__init__(f"{path} has the model lines {', '.join(lines)}; name one of them with --line")


class NoSuchLine(DaemonError):
    """The settings have no model line of this name."""

    def __init__(self, path: Path, name: str, lines: Iterable[str]) -> None:
        super().__init__(f"{path} has no model line {name}; it has {', '.join(lines)}")


class Problem(NamedTuple):
    """A contradiction between settings of a section."""

    text: str  # names the settings as they are written below the section
    settings: tuple[str, ...] = ()  # further settings that it is about


class Disagreement(ValueError):
    """Settings contradict each other. Each problem is reported at the line of the first of its settings that is set."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.text for problem in self.problems))
