"""What the committed dashboards show of what a Prometheus has scraped."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from deploy.grafana.pictures.prometheus import Prometheus, Span

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"


class Asked(NamedTuple):
    """One query of one panel."""

    board: str
    panel: str
    target: dict[str, Any]

    @property
    def place(self) -> tuple[str, str, str]:
        """Dashboard, panel and the query's letter."""
        return self.board, self.panel, str(self.target["refId"])


def queries() -> Iterator[Asked]:
    for path in sorted(FOLDER.glob("*.json")):
        board = json.loads(path.read_text("utf-8"))
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield Asked(path.stem, panel["title"], target)


def annotations() -> list[dict[str, str]]:
    """The annotations, which are the same on all dashboards."""
    board = json.loads((FOLDER / "overview.json").read_text("utf-8"))
    return [
        {"name": each["name"], "expr": each["expr"], "legendFormat": each["titleFormat"]}
        for each in board["annotations"]["list"]
    ]


def without_data(prometheus: Prometheus, span: Span) -> set[tuple[str, str, str]]:
    """The places of queries that give nothing at any moment of a time."""
    return {asked.place for asked in queries() if not prometheus.ask(asked.target, span, throughout=True)}
