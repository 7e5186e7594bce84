"""What people see of the gate's checks, figures and answers, at 80 columns; ``screens.py`` says how to renew it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from daemon.cli.render.answer_pairs import answer_pairs
from daemon.domain.answer_pairs import AnswerPair, worst_typical_best
from registry.checks import CheckData, judge_checks
from registry.names import VersionName
from registry.types import Figure, GateVerdict, Measure
from tests.factories.cli import typed
from tests.factories.daemon import LINE, Line, a_gate_report, a_line, a_slice
from tests.unit.cli.screens import WIDTH, assert_picture, fail_if_renewed, fix_time_and_health, printed

CANDIDATE = VersionName(LINE, 1)
REFUNDS = AnswerPair(
    question="How long does a refund take?",
    good="A refund takes five working days once the parcel is back.",
    live="I'm sorry, I don't have access to that. " * 12,
    candidate="It takes five working days.",
    live_failed=("ends by itself", "no refusal", "length"),
    live_f1=0.08,
    candidate_f1=0.75,
)
CHINESE = AnswerPair(
    question="退款需要多长时间才能到账？" * 12,
    good="包裹退回后五个工作日内到账。",
    live="很抱歉，我无法查询您的订单。" * 14,
    candidate="包裹退回以后，五个工作日之内会到账。",
    live_f1=0.2,
    candidate_f1=0.9,
)
HOSTILE = AnswerPair(
    question="What\nis \x1b[31mthis\x1b[0m?",
    good=None,
    live="",
    candidate="\x1b]0;owned\x07\u202eesrever\r\n\tdone",
    candidate_failed=("valid JSON",),
)


@pytest.fixture(autouse=True)
def renewing() -> Iterator[None]:
    yield
    fail_if_renewed()


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    found = a_line(tmp_path)
    fix_time_and_health(monkeypatch, found.now)
    return found


def check(name: str, *, worse: int = 0, better: int = 0, prompts: int = 40) -> CheckData:
    outcomes = [(False, True)] * worse + [(True, False)] * better
    return CheckData(name=name, outcomes=tuple(outcomes + [(False, False)] * (prompts - worse - better)))


def refused(line: Line, *pairs: AnswerPair) -> VersionName:
    """A candidate that failed checks, and the answers of that look."""
    name = line.candidate()
    checks = judge_checks(
        [
            check("ends by itself", worse=14, better=1),
            check("no repetition", worse=2, better=2),
            check("valid tool calls", worse=2, prompts=3),
            check("right language"),
        ],
        alpha=0.05 / 3,
    )
    preferred = replace(
        a_slice("preferred answers", "reported", GateVerdict.INCONCLUSIVE, difference=-0.14),
        live_loss=-0.31, candidate_loss=-0.45, measure=Measure.MARGIN, conversations=12, clusters=11, needed=0,
    )  # fmt: skip
    report = a_gate_report(GateVerdict.REJECT)
    report = replace(
        report,
        against=VersionName(LINE, 0),
        slices=(*report.slices, preferred),
        checks=checks,
        figures=(Figure(name="token F1", live=0.08, candidate=0.75, count=40),),
    )
    line.stores.versions.add_gate_report(name, report, at=line.clock())
    line.stores.gate_answers.add(str(name), 1, list(enumerate(pairs, 1)))
    return name


def rendered(*pairs: AnswerPair) -> str:
    console = Console(width=WIDTH, markup=False, emoji=False, highlight=False, force_terminal=False)
    with console.capture() as captured:
        console.print(answer_pairs(pairs, live=None, candidate=CANDIDATE))
    return captured.get()


def test_why_and_show_print_checks_figures_and_answers(line: Line) -> None:
    refused(line, REFUNDS, CHINESE, HOSTILE, replace(CHINESE, candidate_f1=0.5))

    assert_picture("why_answers", printed(line, "why", "v1"))
    shown = printed(line, "show", "v1")
    assert_picture("show_answers", shown[shown.index("gate, look 1") :])


@pytest.mark.parametrize("command", ["why", "show"])
def test_json_has_all_pairs_and_checks(line: Line, command: str) -> None:
    refused(line, *[replace(REFUNDS, question=f"question {n}") for n in range(5)])

    document = json.loads(typed("--config", str(line.config), command, "v1", "--json").stdout)
    found = document["version"] if command == "why" else document
    report = found["gate" if command == "why" else "gate_reports"][-1]

    assert [pair["question"] for pair in found["answers"]] == [f"question {n}" for n in range(5)]
    assert found["answers"][0]["live_failed"] == ["ends by itself", "no refusal", "length"]
    assert report["checks"][0] | {"reason": "", "p_value": 0} == {
        "name": "ends by itself", "prompts": 40, "live_failed": 1, "candidate_failed": 14, "worse": 14, "better": 1,
        "smallest_harm": report["checks"][0]["smallest_harm"], "verdict": "reject", "reason": "", "p_value": 0,
    }  # fmt: skip
    assert report["figures"] == [{"name": "token F1", "live": 0.08, "candidate": 0.75, "count": 40}]


def test_a_version_without_answers_shows_none(line: Line) -> None:
    line.promoted()

    assert "answers to" not in printed(line, "why", "v1")
    assert "answers to" not in printed(line, "show", "v1")


def test_the_worst_the_typical_and_the_best_pair_are_shown() -> None:
    worst = replace(REFUNDS, live_failed=(), candidate_failed=("length",))
    typical = replace(REFUNDS, live_failed=(), live_f1=0.5, candidate_f1=0.5)

    assert worst_typical_best([typical, REFUNDS, worst, typical, typical]) == [worst, typical, REFUNDS]
    assert worst_typical_best([REFUNDS, worst]) == [worst, REFUNDS]
    assert worst_typical_best([]) == []


@pytest.mark.parametrize("pair", [REFUNDS, CHINESE, HOSTILE])
def test_answers_fit_and_show_no_control_characters(pair: AnswerPair) -> None:
    lines = rendered(pair).splitlines()

    assert all(cell_len(row) <= WIDTH for row in lines)
    assert all(char.isprintable() for row in lines for char in row)


def test_long_texts_are_cut_with_an_ellipsis() -> None:
    assert rendered(REFUNDS, CHINESE).count("…") == 3


def test_an_empty_answer_is_named() -> None:
    assert "(empty)" in rendered(HOSTILE)
