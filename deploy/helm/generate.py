"""Writes what the chart has from elsewhere: the schema of its values, the alerts, rules and dashboards: ``make docs``."""

import json
from pathlib import Path

from deploy.helm.values import CHART
from deploy.helm.values_schema import values_schema

_DEPLOY = Path(__file__).parents[1]
#: Folders of the chart that hold copies, and where the originals are.
_COPIES = {
    "files/prometheus": (_DEPLOY / "prometheus", ("alerts.yaml", "rules.yaml")),
    "files/dashboards": (_DEPLOY / "grafana" / "dashboards", ("*.json",)),
}


def chart_files() -> dict[str, str]:
    """Return the text of each generated file by its path in the chart."""
    files = {"values.schema.json": json.dumps(values_schema(), indent=1, ensure_ascii=False) + "\n"}
    for folder, (originals, patterns) in _COPIES.items():
        for pattern in patterns:
            for original in sorted(originals.glob(pattern)):
                files[f"{folder}/{original.name}"] = original.read_text("utf-8")
    return files


def copies(chart: Path = CHART) -> set[str]:
    """Return the paths of the copies that the chart holds."""
    return {path.relative_to(chart).as_posix() for folder in _COPIES for path in (chart / folder).glob("*")}


def write(chart: Path = CHART) -> None:
    """Renew the generated files of the chart; copies without an original go."""
    files = chart_files()
    for lost in copies(chart) - files.keys():
        (chart / lost).unlink()
    for name, text in files.items():
        (chart / name).parent.mkdir(parents=True, exist_ok=True)
        (chart / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
