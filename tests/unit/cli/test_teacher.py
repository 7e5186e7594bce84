"""What operators see of the teacher."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.domain.teaching import Reply, TeacherCall, TeacherOutcome, TeacherPurpose
from daemon.http.probe import DaemonHealth
from tests.factories.cli import type_to
from tests.factories.daemon import Line, a_line
from tests.unit.cli.screens import assert_picture, fail_if_renewed, fix_time_and_health, printed

HEALTHY = DaemonHealth(url="http://127.0.0.1:8080", running=True, ready=True, lag=3)
GOOD = Reply(
    outcome=TeacherOutcome.ANSWERED, text="It is in retuned.yaml.", input_tokens=400, output_tokens=20
)
BAD_KEY = Reply(
    outcome=TeacherOutcome.UNAUTHORIZED,
    reason="the endpoint answers 401 (Incorrect API key): check the key in teacher.api_key_file and what it may use",
)


@pytest.fixture(autouse=True)
def renewing() -> Iterator[None]:
    yield
    fail_if_renewed()


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    teacher = {
        "url": "https://api.example.com/v1", "model": "large-instruct", "calls_a_day": 4, "judges": True,
        "money_a_day": 2.0, "price_per_million_input_tokens": 0.5, "price_per_million_output_tokens": 1.5,
    }  # fmt: skip
    line = a_line(tmp_path, teacher=teacher)
    fix_time_and_health(monkeypatch, line.now, HEALTHY)
    yield line
    line.stores.engine.dispose()


def call(line: Line, reply: Reply, *, seq: int | None = 3, minutes: float = 30) -> None:
    purpose = TeacherPurpose.JUDGE if seq is None else TeacherPurpose.ANSWER
    asked = TeacherCall(purpose=purpose, model="large-instruct", digest=f"d{seq}", seq=seq)
    number = line.stores.teacher.begin(asked, most=0.01, now=line.now - timedelta(minutes=minutes))
    line.stores.teacher.finish(number, reply, answer=reply.text or None, cost=0.00123)


def test_a_teacher_that_answers(line: Line) -> None:
    call(line, BAD_KEY, minutes=40)
    call(line, GOOD)
    call(line, Reply(outcome=TeacherOutcome.ANSWERED, text="A"), seq=None)

    assert_picture("teacher_show", printed(line, "teacher", "show"))
    assert_picture("teacher_answers", printed(line, "teacher", "answers"))


def test_a_teacher_that_fails_is_named_wherever_one_looks(line: Line) -> None:
    for minutes in (30, 20, 10):
        call(line, BAD_KEY, minutes=minutes)

    assert_picture("teacher_failing", printed(line, "teacher", "show"))
    assert "the teacher has not answered since" in type_to(line, "status").stdout
    assert "the teacher has not answered since" in type_to(line, "why", "--not").stdout


def test_a_budget_that_is_used_up_is_named(line: Line) -> None:
    for _ in range(4):
        call(line, GOOD)

    assert "budget of today is used up" in type_to(line, "teacher", "show").stdout
    assert "budget of today is used up" in type_to(line, "status").stdout
    assert "budget of today is used up" in type_to(line, "why", "--not").stdout
    shown = json.loads(type_to(line, "teacher", "show", "--json").stdout)["teacher"]
    assert shown["spent"] == {"calls": 4, "money": pytest.approx(0.00492)}


def test_nothing_asked_is_said(line: Line) -> None:
    assert "The teacher was asked nothing" in type_to(line, "teacher", "answers").stdout


def test_an_answer_is_taken_out(line: Line) -> None:
    call(line, GOOD)

    answer = type_to(line, "teacher", "discard", "1", "-m", "invented")
    again = type_to(line, "teacher", "discard", "1", "-m", "invented")

    assert "Answer 1 is taken out" in answer.stdout
    assert again.exit_code == 2
    assert "retuned teacher answers" in again.stderr
    assert "because   invented" in type_to(line, "teacher", "answers", "--failed").stdout
