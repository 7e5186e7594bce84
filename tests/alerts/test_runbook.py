"""The runbook has a section for each alert, whose commands and settings exist."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from daemon.cli.app import app
from daemon.config.settings import Settings
from daemon.telemetry.metrics import Metrics
from tests.alerts.promtool import ROOT, alerts

RUNBOOK = (ROOT / "deploy" / "docs" / "runbook.md").read_text(encoding="utf-8")
#: What a command in the runbook leaves open, and what may stand there.
_VALUES = {"REASON": "so", "VERSION": "v1"}


def _sections() -> Mapping[str, str]:
    """The text of each alert's section, by the alert."""
    chapter = RUNBOOK.split("\n## Alerts\n")[1].split("\n## ")[0]
    return {section.partition("\n")[0]: section.partition("\n")[2] for section in chapter.split("\n### ")[1:]}


SECTIONS = _sections()


def _anchors() -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", RUNBOOK, flags=re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_each_alert_has_a_section_and_each_section_an_alert() -> None:
    assert [*SECTIONS] == [*alerts()], "the same, in the same order"


@pytest.mark.parametrize("alert", [*SECTIONS])
def test_a_section_says_how_urgent_it_is_and_what_to_do(alert: str) -> None:
    text = SECTIONS[alert]

    assert text.strip().startswith(f"*{alerts()[alert]['labels']['severity'].capitalize()}.*")
    assert re.search(r"\bDo: |\bLook and do: ", text)
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= _anchors()
    # A page is read from its heading: the link of the alert leads to it.
    assert alerts()[alert]["annotations"]["runbook_url"].partition("#")[2] in _anchors()


def _texts() -> Iterator[tuple[str, str]]:
    for alert, rule in alerts().items():
        yield alert, rule["annotations"]["description"]
        yield alert, SECTIONS[alert]


@pytest.mark.parametrize(
    "command",
    sorted({found for _, text in _texts() for found in re.findall(r"`retuned ([a-z][^`]*)`", text)}),
)
def test_a_command_that_is_named_can_be_typed(command: str) -> None:
    found: Any = typer.main.get_command(app)
    words = [_VALUES.get(word, word) for word in command.split()]
    while hasattr(found, "commands") and words:
        assert words[0] in found.commands, f"there is no command {command}"
        found = found.commands[words.pop(0)]
    if words:  # else it may be named for what it is: `retuned show` takes a version
        found.make_context(command, words)


def test_a_setting_or_metric_that_is_named_exists() -> None:
    known = {*_settings(Settings), *(entry.name for entry in Metrics().catalogue())}
    named = {
        name
        for _, text in _texts()
        for name in re.findall(r"`?\b((?:[a-z]+\.[a-z_]+(?:\.[a-z_]+)?)|retuned_[a-z_]+)`?", text)
        if not name.startswith(("live.json", "deploy."))
    }

    assert named - known == set()
    assert named & known


def _settings(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{path}{name}"
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _settings(inner, f"{path}{name}.")
