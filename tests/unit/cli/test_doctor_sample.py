import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from daemon.cli.doctor import sample
from daemon.cli.doctor.check import Check
from daemon.cli.doctor.sample import check_sample
from daemon.cli.render.doctor import checkup_screen
from learners.encoding.sample import RenderedConversation, RenderedSample, SampleRequest, TextPart
from learners.errors import ChildTrouble
from learners.types import Failure
from tests.factories.daemon import Line, a_line, line_settings

EXAMPLE = RenderedConversation(
    id="c1",
    rows=((TextPart(text="user: Hi\nassistant: ", learned=False), TextPart(text="Yes<end>", learned=True)),),
)


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(sample, "resolve_base", lambda _: tmp_path)
    return a_line(tmp_path)


def a_sample(**skipped: int) -> RenderedSample:
    reasons = {reason.replace("_", " "): count for reason, count in skipped.items()}
    return RenderedSample(conversations=50, skipped=reasons, left_out_answers={}, example=EXAMPLE)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[RenderedSample | Failure | Exception], None]:
    def answers(found: RenderedSample | Failure | Exception) -> None:
        def render(request: SampleRequest, *, timeout_s: float) -> RenderedSample | Failure:
            assert request.conversations
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(sample, "render_sample", render)

    return answers


Answer = Callable[[RenderedSample | Failure | Exception], None]


def test_it_says_what_a_training_would_skip_and_shows_what_it_learns(line: Line, answer: Answer) -> None:
    answer(a_sample(longer_than_max_tokens=2))

    found = check_sample(line.settings)

    assert found.ok
    assert found.found == "of the newest 50 conversations, 2 would be skipped (2 longer than max tokens)"
    assert found.example == "user: Hi\nassistant: ⟦Yes<end>⟧"
    console = Console(file=io.StringIO(), width=100)
    console.print(checkup_screen([found]))
    assert "⟦Yes<end>⟧" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_sample_that_no_run_would_learn_from_fails(line: Line, answer: Answer) -> None:
    answer(a_sample(refused_by_the_chat_template=50))

    found = check_sample(line.settings)

    assert not found.ok
    assert found.found.endswith("a training would fail")
    assert "learning.max_skipped" in found.remedy


@pytest.mark.parametrize(
    "found",
    [
        Failure(error="UnusableModel", message="no template", permanent=True),
        ChildTrouble("no template"),
    ],
)
def test_what_can_not_be_rendered_at_all_fails(
    line: Line, answer: Answer, found: Failure | Exception
) -> None:
    answer(found)

    check = check_sample(line.settings)

    assert (check.ok, check.found) == (False, "no template")


def test_without_a_ledger_or_a_model_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = line_settings(tmp_path)

    without_model: Check = check_sample(settings)
    monkeypatch.setattr(sample, "resolve_base", lambda _: tmp_path)
    without_ledger = check_sample(settings)

    assert without_model.ok
    assert "no model" in without_model.found
    assert without_ledger.ok
    assert "no conversation" in without_ledger.found
