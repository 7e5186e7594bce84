"""The dashboards agree with the code that makes them and with the catalogue of metrics."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.telemetry.metrics import Metrics
from deploy.grafana.generate import INTERNAL, dashboards

FOLDER = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards"
TEXTS = dashboards()
BOARDS: dict[str, dict[str, Any]] = {name: json.loads(text) for name, text in TEXTS.items()}
_METRIC = re.compile(r"\bretuned_\w+")
_HISTOGRAM_PARTS = re.compile(r"_(bucket|sum|count)$")


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels with queries."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


EACH_PANEL = [
    pytest.param(panel, id=f"{board['title']}: {panel['title']}")
    for board in BOARDS.values()
    for panel in panels(board)
]
EACH_BOARD = [pytest.param(board, id=board["title"]) for board in BOARDS.values()]


def metrics_in(expression: str) -> set[str]:
    catalogue = {entry.name for entry in Metrics().catalogue()}
    named = _METRIC.findall(expression)
    return {name if name in catalogue else _HISTOGRAM_PARTS.sub("", name) for name in named}


def expressions() -> Iterator[str]:
    for board in BOARDS.values():
        yield from (target["expr"] for panel in panels(board) for target in panel["targets"])


@pytest.mark.parametrize("name", TEXTS)
def test_a_committed_dashboard_is_what_the_code_gives(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == TEXTS[name], f"{name} is out of date: run make docs"


def test_no_other_dashboard_is_committed() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(TEXTS)


def test_every_metric_is_on_a_panel_or_internal_with_a_reason() -> None:
    catalogue = {entry.name for entry in Metrics().catalogue()}
    shown = {name for expression in expressions() for name in metrics_in(expression)}

    assert catalogue - shown - INTERNAL.keys() == set(), "show them in deploy/grafana, or say there why not"
    assert INTERNAL.keys() & shown == set()
    assert INTERNAL.keys() <= catalogue
    assert all(reason.endswith(".") for reason in INTERNAL.values())


@pytest.mark.parametrize("board", EACH_BOARD)
def test_every_metric_that_a_dashboard_asks_for_exists(board: dict[str, Any]) -> None:
    catalogue = {entry.name for entry in Metrics().catalogue()}
    variables = [str(variable["query"]) for variable in board["templating"]["list"]]
    annotations = [annotation["expr"] for annotation in board["annotations"]["list"]]
    asked = [target["expr"] for panel in panels(board) for target in panel["targets"]]

    assert {name for text in (*asked, *annotations, *variables) for name in metrics_in(text)} <= catalogue


@pytest.mark.parametrize("panel", EACH_PANEL)
def test_a_panel_says_what_it_shows_in_which_unit_and_what_it_says_without_data(
    panel: dict[str, Any],
) -> None:
    defaults = panel["fieldConfig"]["defaults"]

    assert panel["title"]
    assert panel["description"].endswith(".")
    assert defaults["noValue"]
    assert "unit" in defaults or panel["type"] == "table"
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])
    assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}


@pytest.mark.parametrize("panel", EACH_PANEL)
def test_a_panel_shows_the_chosen_lines_and_names_its_series_by_labels_that_they_have(
    panel: dict[str, Any],
) -> None:
    for target in panel["targets"]:
        selectors = re.findall(r"retuned_\w+(\{.*?\})", target["expr"])
        assert all('model_line=~"$model_line"' in selector for selector in selectors)
        kept = {label for by in re.findall(r"by \(([\w, ]+)\)", target["expr"]) for label in by.split(", ")}
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept


@pytest.mark.parametrize("board", EACH_BOARD)
def test_panels_have_ids_of_their_own_and_do_not_overlap(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    cells = [
        cell
        for panel in board["panels"]
        for cell in itertools.product(
            range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"]),
            range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"]),
        )
    ]

    assert len(set(ids)) == len(ids)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23


def test_the_dashboards_know_each_other_and_can_be_told_apart() -> None:
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS) == 5
    assert {tuple(board["tags"]) for board in BOARDS.values()} == {("retuned",)}


@pytest.mark.parametrize("board", EACH_BOARD)
def test_a_dashboard_has_the_variables_annotations_and_links_of_all(board: dict[str, Any]) -> None:
    assert [variable["name"] for variable in board["templating"]["list"]] == [
        "datasource", "model_line", "instance", "pages", "runbook",
    ]  # fmt: skip
    assert [each["name"] for each in board["annotations"]["list"]] == [
        "Alarms", "Promotions", "Rollbacks", "Runs",
    ]  # fmt: skip
    assert [link["title"] for link in board["links"]] == ["Dashboards", "Reports on drift", "Runbook"]
