"""Keeps the figures of a benchmark in a file, so that an interrupted benchmark can resume."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
from pydantic import TypeAdapter

import monitors
from daemon.domain.json_values import json_value
from monitors.bench.cost import DetectorCost
from monitors.bench.journal import Journal
from monitors.bench.term_precision import TermPrecision
from monitors.bench.trials import Outcome

_EXPENSE = TypeAdapter(DetectorCost)
_NAMED = TypeAdapter(tuple[TermPrecision, ...])
_OUTCOMES = TypeAdapter(Sequence[Outcome])


def digest_of_monitors() -> str:
    """Return a digest of the measured code. Figures of other code do not belong to this benchmark."""
    folder = Path(monitors.__file__).parent
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


class FileJournal(Journal):
    """One JSON line per figure, after a first line that identifies the benchmark."""

    def __init__(self, path: Path, benchmark: Mapping[str, object]) -> None:
        super().__init__()
        self._path = path
        self._first = {"benchmark": json_value(benchmark)}

    def start(self) -> None:
        """Read the figures of an interrupted run of this benchmark; drop those of another. Raises OSError."""
        found = _lines(self._path)
        lines = found if found[:1] == [self._first] else [self._first]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # This also removes a line that was cut off.
        self._path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        for line in lines[1:]:
            self._read(line)

    def keep_cost(self, cost: DetectorCost) -> None:
        """Keep what our detector costs."""
        super().keep_cost(cost)
        self._add({"expense": _EXPENSE.dump_python(cost, mode="json")})

    def keep_named(self, named: tuple[TermPrecision, ...]) -> None:
        """Keep how often explanations name what is new."""
        super().keep_named(named)
        self._add({"named": _NAMED.dump_python(named, mode="json")})

    def keep_outcomes(self, place: int, outcomes: Sequence[Outcome]) -> None:
        """Keep what all detectors did in a trial."""
        super().keep_outcomes(place, outcomes)
        self._add({"trial": place, "outcomes": _OUTCOMES.dump_python(outcomes, mode="json")})

    def remove(self) -> None:
        """Delete the file, once the figures are written elsewhere."""
        self._path.unlink(missing_ok=True)

    def _add(self, line: Mapping[str, object]) -> None:
        with self._path.open("ab") as file:
            file.write(orjson.dumps(line) + b"\n")

    def _read(self, line: Mapping[str, object]) -> None:
        match line:
            case {"expense": cost}:
                self.cost = _EXPENSE.validate_python(cost)
            case {"named": named}:
                self.named = _NAMED.validate_python(named)
            case {"trial": int(place), "outcomes": outcomes}:
                self.outcomes[place] = _OUTCOMES.validate_python(outcomes)


def _lines(path: Path) -> list[dict[str, object]]:
    """Return the lines up to the first that was cut off."""
    lines = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            lines.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            break
    return lines
