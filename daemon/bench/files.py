"""Writes the results of the benchmark as JSON, CSV and pictures."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from importlib.util import find_spec
from pathlib import Path

import orjson

from daemon.domain.json_values import json_value
from monitors.bench.benchmark import Result

NO_PICTURES = "there are no pictures, as matplotlib is not installed: pip install 'retuned[bench]'"


def write(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write everything, and return the paths. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    document = folder / "results.json"
    document.write_bytes(orjson.dumps(json_value(result), option=orjson.OPT_INDENT_2))
    tables = {
        "false-alarms.csv": result.false_alarms,
        "delays.csv": result.delays,
        "costs.csv": result.costs,
        "named.csv": result.named,
        "trials.csv": result.outcomes,
    }
    for name, rows in tables.items():
        _table(folder / name, rows)
    return (document, *(folder / name for name in tables), *_pictures(result, folder))


def _table(path: Path, rows: Sequence[object]) -> None:
    plain_rows = [asdict(row) for row in rows if is_dataclass(row) and not isinstance(row, type)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(plain_rows[0]) if plain_rows else [])
        writer.writeheader()
        writer.writerows(plain_rows)


def _pictures(result: Result, folder: Path) -> Sequence[Path]:
    if not find_spec("matplotlib"):
        return ()
    from monitors.bench.plots import draw

    return draw(
        folder,
        result.false_alarms,
        result.delays,
        declared=result.design.conversations_between_false_alarms,
    )
