"""Writes the dashboards beside this file, as Grafana imports them: ``make docs``."""

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.drift import drift
from deploy.grafana.intake import intake
from deploy.grafana.overview import overview
from deploy.grafana.releases import releases
from deploy.grafana.training import training

#: Metrics of the catalogue that no panel shows, each with the reason. Name here, or on a panel, every new one.
INTERNAL: dict[str, str] = {
    "retuned_line_restarts_total": "RetunedLineDown tells of a line that fails, and its log why each time.",
    "retuned_trace_spans_total": "Of traces, where they are on: whether their collector works, which the log says too.",
}

_DASHBOARDS = {
    "overview": overview,
    "drift": drift,
    "training": training,
    "releases": releases,
    "intake": intake,
}


def dashboards() -> dict[str, str]:
    """Return the JSON of each dashboard by its file name."""
    return {
        f"{name}.json": JSONEncoder(sort_keys=True, indent=2).encode(make().build()) + "\n"
        for name, make in _DASHBOARDS.items()
    }


def main(folder: Path) -> None:
    """Write every dashboard into ``folder``."""
    folder.mkdir(exist_ok=True)
    for name, text in dashboards().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "dashboards")
