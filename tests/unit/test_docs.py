"""The generated reference pages agree with the code."""

from pathlib import Path

import pytest

from deploy.docs.generate import pages

DOCS = Path(__file__).parents[2] / "deploy" / "docs"
PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_what_the_code_gives(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name], f"{name} is out of date: run make docs"


def test_every_setting_metric_and_command_is_explained() -> None:
    rows = [line for text in PAGES.values() for line in text.splitlines() if line.startswith("| `")]

    assert len(rows) > 200
    assert [row for row in rows if row.endswith("|  |")] == []
