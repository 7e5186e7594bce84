"""Keeps a benchmark's figures in a file as they come: hours of work outlive an interruption."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

import monitors
from daemon.domain.json_values import json_value
from monitors.bench.cost import DetectorCost
from monitors.bench.journal import Journal
from monitors.bench.streams import Kind
from monitors.bench.term_precision import TermPrecision
from monitors.bench.trials import Outcome


def digest_of_monitors() -> str:
    """Return a digest of the code that is measured: what another detector found is no part of this one's figures."""
    folder = Path(monitors.__file__).parent
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


class FileJournal(Journal):
    """A line for each figure, after one that says of which benchmark they are. Another benchmark's are overwritten."""

    def __init__(self, path: Path, benchmark: Mapping[str, object]) -> None:
        """Raises OSError."""
        super().__init__()
        self._path = path
        first = {"benchmark": json_value(benchmark)}
        found = _lines(path)
        lines = found if found[:1] == [first] else [first]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))  # without a torn end
        for line in lines[1:]:
            self._read(line)

    def keep_cost(self, cost: DetectorCost) -> None:
        """Keep what our detector costs."""
        super().keep_cost(cost)
        self._add({"expense": json_value(cost)})

    def keep_named(self, named: tuple[TermPrecision, ...]) -> None:
        """Keep how often explanations name what is new."""
        super().keep_named(named)
        self._add({"named": json_value(named)})

    def keep_outcomes(self, place: int, outcomes: Sequence[Outcome]) -> None:
        """Keep what all detectors did in a trial."""
        super().keep_outcomes(place, outcomes)
        self._add({"trial": place, "outcomes": json_value(outcomes)})

    def remove(self) -> None:
        """Remove the file, as the figures are written elsewhere."""
        self._path.unlink(missing_ok=True)

    def _add(self, line: Mapping[str, object]) -> None:
        with self._path.open("ab") as file:
            file.write(orjson.dumps(line) + b"\n")

    def _read(self, line: Mapping[str, object]) -> None:
        match line:
            case {"expense": dict(expense)}:
                self.cost = DetectorCost(**expense)
            case {"named": list(named)}:
                self.named = tuple(TermPrecision(**one) for one in named)
            case {"trial": int(place), "outcomes": list(outcomes)}:
                self.outcomes[place] = [
                    Outcome(**{**outcome, "kind": Kind(outcome["kind"])}) for outcome in outcomes
                ]


def _lines(path: Path) -> list[dict[str, object]]:
    """Return the lines, up to one that was cut off."""
    lines = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            lines.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            break
    return lines
