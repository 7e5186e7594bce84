"""The report holds what was measured, and says what each field means."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from daemon.demo.checks import Findings, check_all
from daemon.demo.options import DemoOptions
from daemon.demo.regimes import Regime
from daemon.demo.report import FIELDS, Outcome, machine, packages, report, write
from daemon.demo.summary import answers, summary
from tests.factories.demo import NOON, a_conversation, a_loop, a_stream, an_answer, findings

pytestmark = pytest.mark.unit


def an_outcome(found: Findings | None = None, problem: str | None = None) -> Outcome:
    found = found or findings()
    regimes = tuple(
        Regime(name=name, source="test", conversations=(a_conversation(name),))
        for name in ("闲聊", "questions")
    )
    return Outcome(
        started_at=NOON,
        options=DemoOptions(),
        regimes=regimes,
        findings=found,
        checks=check_all(found, margin=0.02),
        problem=problem,
        seconds={"training": 170.04321, "total": 420.0},
        settings="model_line: demo\n",
    )


def test_a_demo_in_which_everything_happened_has_passed() -> None:
    assert report(an_outcome())["passed"] is True


@pytest.mark.parametrize("outcome", [an_outcome(Findings()), an_outcome(problem="the broker went away")])
def test_a_failed_check_or_a_problem_is_no_pass(outcome: Outcome) -> None:
    assert report(outcome)["passed"] is False


@pytest.mark.parametrize("found", [findings(), Findings()])
def test_every_part_is_explained_and_every_explanation_has_its_part(found: Findings) -> None:
    parts = set(report(an_outcome(found))) - {"fields"}

    assert parts == {name for name in FIELDS if "." not in name}


def test_explained_fields_of_the_stream_are_there() -> None:
    stream = report(an_outcome())["stream"]

    assert isinstance(stream, dict)
    assert {name.removeprefix("stream.") for name in FIELDS if name.startswith("stream.")} <= set(stream)


def test_change_detection_and_delay_are_counted_in_conversations() -> None:
    stream = report(an_outcome())["stream"]

    assert isinstance(stream, dict)
    assert (stream["change_at"], stream["detected_at"], stream["delay_conversations"]) == (934, 1000, 67)


def test_what_is_not_known_is_null() -> None:
    loop = a_loop(stream=a_stream("sssss", change_at=None))

    stream = report(an_outcome(replace(findings(), loop=loop)))["stream"]

    assert isinstance(stream, dict)
    assert stream["detected_at"] is stream["delay_conversations"] is stream["delay_s"] is None


def test_the_report_is_written_as_readable_json(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.json"

    write(an_outcome(), path)

    text = path.read_text(encoding="utf-8")
    assert "闲聊" in text
    assert json.loads(text) == report(an_outcome())


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert packages(["retuned", "no-such-package"]) == {"retuned": "0.1.0", "no-such-package": None}


def test_the_machine_is_described() -> None:
    assert machine()["cores"]


def shown(renderable: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=140, color_system=None)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_final_tables_hold_change_detection_losses_versions_and_times() -> None:
    text = shown(summary(an_outcome()))

    assert "at conversation 934" in text
    assert "at conversation 1000, 67 after the change" in text
    assert "demo-v0 → demo-v1 → demo-v0 (rolled back)" in text
    assert "-0.600 to -0.400" in text
    assert "0:02:50" in text
    assert text.count("✓") == len(an_outcome().checks)


def test_the_final_tables_of_a_demo_that_got_nowhere_say_so() -> None:
    text = shown(summary(an_outcome(Findings())))

    assert "✓" not in text
    assert "the demo did not get that far" in text


def test_answers_stand_beside_the_reference_and_markup_in_them_is_text() -> None:
    text = shown(answers((an_answer(live="[red]歌德"),), base="demo-v0 (base)", live="demo-v1 (live)"))

    assert "[red]歌德" in text
    assert "demo-v0 (base)" in text
